import http2 from 'node:http2';
import { create } from '@bufbuild/protobuf';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { AskResponseSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { shortAnswer, startEdgeMesh } from './stand-ins.ts';

const kind = process.argv[2];
if (kind === 'edge') {
  const m = await startEdgeMesh();
  process.send!({ port: m.edge.port, auth: m.authorization.authorization });
} else {
  const handler = connectNodeAdapter({
    routes: (r) => {
      r.service(ChatService, {
        async *ask(req) {
          for await (const event of shortAnswer(req)) yield create(AskResponseSchema, { event } as never);
        },
      });
    },
  });
  const s = http2.createServer(handler);
  s.listen(0, '127.0.0.1', () => process.send!({ port: (s.address() as any).port, auth: 'none' }));
}
if (process.argv[3]) {
  const { Session } = await import('node:inspector/promises');
  const se = new Session();
  se.connect();
  await se.post('Profiler.enable');
  process.on('message', async (x) => {
    if (x === 'cpu') return;
    if (x === 'start') await se.post('Profiler.start');
    else {
      const { profile } = await se.post('Profiler.stop');
      (await import('node:fs')).writeFileSync(process.argv[3]!, JSON.stringify(profile));
      process.send!({ done: 1 });
    }
  });
}

process.on('message', (x) => {
  if (x === 'cpu') process.send!({ cpu: process.cpuUsage() });
});
