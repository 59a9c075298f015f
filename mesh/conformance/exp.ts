import { Code, ConnectError } from '@connectrpc/connect';
import { EchoService } from '#gen/ragmesh/echo/v1/echo_pb.ts';
import { defineService } from '#kit/define-service.ts';
import { startTestMesh } from '#kit/testing.ts';
import { sleep } from '#kit/streams.ts';
const svc = defineService({ name: 'echo', contract: EchoService, config: () => ({}), needs: {}, async create() { return { impl: {
  async *serverStream({ text, count }) { for (let i = 0; i < count; i++) yield { text }; if (text === 'later') await sleep(5); throw new ConnectError('x', Code.NotFound); },
}, close: async () => {} }; } });
await using mesh = await startTestMesh([svc]);
const o = await mesh.as();
for (const text of ['now', 'later']) for (const [n, c] of [['grpc', mesh.grpcClient(EchoService)], ['local', mesh.client(EchoService)]] as const) {
  const got: Record<number, number> = {};
  for (let i = 0; i < 200; i++) {
    let k = 0;
    try { for await (const _ of c.serverStream({ text, count: 5 }, o)) k++; } catch { }
    got[k] = (got[k] ?? 0) + 1;
  }
  console.log(text, n, got);
}
