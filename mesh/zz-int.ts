import { startChat, passagesOf, found, says, gather } from '../services/chat/testing.ts';
import { chat as chatDef } from '../services/chat/index.ts';
import { cache } from '../services/cache/index.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing.ts';
import { standIns } from '../services/chat/testing.ts';
const script: any = {
    corpora: async () => [{ name: 'help', liveVersion: 3n, revision: 'r1' }],
    retrieve: () => found(passagesOf(...Array.from({length: 8}, (_, i) => `段落 ${i} `.padEnd(600, '支持七天无理由退货，运费由买家承担。')))),
    models: [{ name: 'writer', generative: true }, { name: 'extractive', generative: false }],
    generate: () => says(...Array.from({length: 20}, () => '七天 [1] ')), lookup: undefined, record: async () => {} };
const seen: any = { retrieved: [], generated: [], lookups: [], fills: [], records: [] };
const mesh = await startTestMesh([chatDef, ...standIns(script, seen).filter((s: any) => s.name !== 'cache'), cache] as never);
const client = mesh.client(ChatService);
const options = await mesh.as();
// follow
let n = 0; const gate = Promise.withResolvers<void>();
const slow = script.generate;
script.generate = async function* () { n++; yield { case: 'textDelta', value: { text: 'A [1] ' } }; await gate.promise; yield* says('B'); };
const a = gather(client.ask({ question: 'same' }, options));
await new Promise(r => setTimeout(r, 50));
const b = Array.from({ length: 5 }, (_, i) => mesh.as(testPrincipal({ user: 'u' + i })).then(o => gather(client.ask({ question: 'same?' }, o))));
await new Promise(r => setTimeout(r, 50)); gate.resolve();
const all = await Promise.all([a, ...b]);
console.log('generations', n, all.map(x => [x.text, x.done?.cacheLayer, x.stages.find(s => s.startsWith('CACHE F')), x.usage?.fromCache]));
script.generate = slow;
const q = (a: number[], p: number) => a.toSorted((x, y) => x - y)[Math.floor(a.length * p)]!.toFixed(2);
const run = async (client: any, question: string, n: number, extra: object = {}) => {
  const first: number[] = [], total: number[] = [];
  for (let i = 0; i < n; i++) {
    const t = performance.now(); let f = 0;
    for await (const { event } of client.ask({ question: question.replace('#', String(i)), ...extra }, options)) if (event.case === 'textDelta' && !f) f = performance.now() - t;
    first.push(f); total.push(performance.now() - t);
  }
  return `first p50 ${q(first, .5)} p99 ${q(first, .99)}  total p50 ${q(total, .5)} p99 ${q(total, .99)}`;
};
await run(client, 'warm # how', 300);
console.log('local miss ', await run(client, 'q # how long', 1000));
await run(client, 'cached', 50);
console.log('local hit  ', await run(client, 'cached', 1000));
const c = mesh.client(CacheService);
const scope = { corpora: [{ corpus: 'help', revision: 'r1' }], promptVersion: 'x' };
const look = async (q: string) => { const t = performance.now(); let l: any; for await (const { event } of c.lookup({ question: q, scope }, options)) if (event.case === 'lease') l = event.value.leaseId; return { t: performance.now() - t, l }; };
const { l } = await look('k');
await c.fill((async function* () { yield { part: { case: 'start', value: { leaseId: l } } }; 
 yield { part: { case: 'answer', value: { event: { case: 'sources', value: { passages: passagesOf(...Array.from({length: 8}, (_, i) => `段落 ${i} `.padEnd(600, '支持七天'))) } } } } };
 yield { part: { case: 'answer', value: { event: { case: 'textDelta', value: { text: '七天 [1]' } } } } };
 yield { part: { case: 'answer', value: { event: { case: 'done', value: { outcome: 1 } } } } }; yield { part: { case: 'commit', value: {} } } })() as never, options);
for (let i = 0; i < 300; i++) await look('k');
const ts: number[] = []; for (let i = 0; i < 2000; i++) ts.push((await look('k')).t);
console.log('cache Lookup hit, local mount, whole stream: p50', q(ts, .5), 'p99', q(ts, .99));
const ms: number[] = []; for (let i = 0; i < 1000; i++) ms.push((await look('miss' + i)).t);
console.log('cache Lookup miss → lease: p50', q(ms, .5), 'p99', q(ms, .99));
const t = performance.now();
await Promise.all(Array.from({ length: 32 }, async () => { for (let i = 0; i < 60; i++) for await (const _ of client.ask({ question: 'cached' }, options)); }));
console.log('chat hits/s at 32', Math.round(1920 / ((performance.now() - t) / 1000)));
await mesh.close();
