import { startTestMesh } from '#kit/testing.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { chat as chatDef } from '../services/chat/index.ts';
import { cache } from '../services/cache/index.ts';
import { found, passagesOf, says, standIns } from '../services/chat/testing.ts';
const script: any = { corpora: async () => [{ name: 'help', revision: 'r1' }], retrieve: () => found(passagesOf(...Array.from({length: 8}, (_, i) => `段落 ${i} `.padEnd(600, '支持七天无理由退货，运费由买家承担。')))), models: [{ name: 'writer', generative: true }], generate: () => says(...Array.from({length: 20}, () => '七天 [1] ')), record: async () => {} };
const seen: any = { retrieved: [], generated: [], lookups: [], fills: [], records: [] };
const mesh = await startTestMesh([chatDef, ...standIns(script, seen).filter((s: any) => s.name !== 'cache'), cache] as never);
const client = mesh.client(ChatService); const options = await mesh.as();
for (let r = 0; r < 4; r++) {
  const c0 = process.cpuUsage(); const t = performance.now();
  await Promise.all(Array.from({ length: 32 }, async () => { for (let i = 0; i < 60; i++) for await (const _ of client.ask({ question: 'cached' }, options)); }));
  const c = process.cpuUsage(c0); console.log('hits/s', Math.round(1920 / ((performance.now() - t) / 1000)), 'cpu ms/answer', ((c.user + c.system) / 1000 / 1920).toFixed(3));
}
await mesh.close();
