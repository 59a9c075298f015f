import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { grpc } from '#kit/grpc.ts';
import { createInvocable } from '#kit/invoke.ts';
import { mountGrpc } from '#kit/mount-grpc.ts';
import { type Contract, loadContract, type ServerCompatRequest } from './contract.ts';
import { frame, readFrames } from './framing.ts';
import { createConformanceService } from './service.ts';

// A server under test: `node server.ts <grpc|edge> <image>`. It reads what to serve from stdin, says its port on stdout,
// and runs until it is ended.

const defaultLimitBytes = 4 << 20;

/** The kit's own mount on grpc-js. */
async function serveGrpc(contract: Contract, limitBytes: number): Promise<number> {
  const impl = createConformanceService(contract) as Record<string, unknown>;
  const { Server, ServerCredentials } = grpc();
  // Only what is received is limited: an answer that tells of a request is larger than the request.
  const server = new Server({ 'grpc.max_receive_message_length': limitBytes, 'grpc.max_send_message_length': -1 });
  mountGrpc(
    server,
    contract.service.methods.map((method) => createInvocable(method, impl[method.localName], [])),
  );
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
  return port;
}

/** connect-node as the edge has it: HTTP/1.1, and HTTP/2 without TLS, on one port. */
async function serveEdge(contract: Contract, limitBytes: number): Promise<number> {
  const impl = createConformanceService(contract) as Partial<ServiceImpl<typeof contract.service>>;
  const handler0 = connectNodeAdapter({
    routes: (router) => {
      router.service(contract.service, impl);
    },
    readMaxBytes: limitBytes,
    jsonOptions: { registry: contract.registry },
  });
  const handler = ((request: any, response: any) => {
    request[Symbol.asyncIterator] = async function* () {
      try { yield* request.iterator({ destroyOnReturn: false }); } finally { request.resume(); }
    };
    handler0(request, response);
  });
  const http1 = createHttpServer(handler);
  const http2 = createHttp2Server(handler);
  const server = createServer((socket) => {
    socket.once('readable', () => {
      const opening = socket.read() as Buffer | null;
      if (opening === null) return;
      socket.unshift(opening);
      (opening.subarray(0, 3).toString('latin1') === 'PRI' ? http2 : http1).emit('connection', socket);
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const [stack, imagePath] = process.argv.slice(2);
if (imagePath === undefined) throw new Error('usage: node server.ts <grpc|edge> <image>');
const contract = loadContract(imagePath);
for await (const bytes of readFrames(process.stdin)) {
  const request = fromBinary(contract.message('ServerCompatRequest'), bytes) as ServerCompatRequest;
  const serve = stack === 'grpc' ? serveGrpc : serveEdge;
  const port = await serve(contract, request.messageReceiveLimit || defaultLimitBytes);
  const schema = contract.message('ServerCompatResponse');
  process.stdout.write(frame(toBinary(schema, create(schema, { host: '127.0.0.1', port } as never))));
  break;
}
