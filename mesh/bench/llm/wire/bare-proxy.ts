import { Agent, createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

// The floor of the benchmark: a proxy in Node that forwards bytes and does nothing else. Argument: the address of the provider.

const provider = new URL(process.argv[2] ?? '');
const agent = new Agent({ keepAlive: true, maxSockets: 4096 });

const server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (incoming, outgoing) => {
  const { method, url: path, headers } = incoming;
  const fields = { ...headers, host: provider.host };
  const onward = send({ agent, host: provider.hostname, port: provider.port, method, path, headers: fields });
  onward.on('response', (reply) => {
    outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) onward.destroy();
  });
  incoming.pipe(onward);
});
server.listen(0, '127.0.0.1', 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
