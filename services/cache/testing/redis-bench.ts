import { Redis } from 'ioredis';
import { createLogger } from '#kit/base/log.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { AnswerStore, AnswerStoreDeps, StoredAnswer } from '../answers/answer-store.ts';
import { createGuard } from '../answers/store-guard.ts';

// What an answer costs that comes from Redis through the port, with its checks, its deadline and its breaker, beside a bare GET of as
// many bytes. A process of its own: `npm run bench -- cache` starts it.

const rounds = 9;
const callsPerRound = 2000;
const url = process.argv[2] ?? '';

const store = await createFromAdapter<AnswerStore, AnswerStoreDeps>(
  new URL('../adapters/answer-store/', import.meta.url),
  'redis',
  { url, key_prefix: 'bench:' },
  {
    maxBytes: 1,
    clock: () => 0,
    random: () => 0.5,
    log: createLogger('silent'),
    listener: { epoch() {}, invalidated() {}, attached() {} },
    openDatabase: () => Promise.reject(new Error('no database here')),
  },
  'bench',
);
const guard = createGuard('answer-store', () => {});
const answer: StoredAnswer = {
  tenant: 'acme',
  key: '7'.repeat(64),
  value: Buffer.from('seven days after delivery '.repeat(240)),
  storedAtMs: 0,
  staleAtMs: 60_000_000,
  expiresAtMs: 60_000_000,
  labels: ['model:m', 'prompt:p', 'corpus:help', ...Array.from({ length: 8 }, (_, index) => `document:d${index}`)],
  scope: new Uint8Array(60),
};
await store.put(answer);
const bare = new Redis(url);
const [key = ''] = await bare.keys('bench:*:a:*');
const stored = (await bare.getBuffer(key)) as Buffer;

const bareGet = () => bare.getBuffer(key);
const storeGet = () => guard.run(() => store.get(answer.tenant, answer.key), 10_000);
const figures = { bare: [] as number[], store: [] as number[] };
for (let round = -1; round < rounds; round++) {
  const [bareMs, storeMs] = [await p50(bareGet), await p50(storeGet)];
  // The first one warms up.
  if (round < 0) continue;
  figures.bare.push(bareMs);
  figures.store.push(storeMs);
}
const ratios = figures.store.map((value, index) => value / (figures.bare[index] as number));
const [ratio, storeMs, bareMs] = [ratios, figures.store, figures.bare].map(middle);
process.send?.({ ratio, storeMs, bareMs, sizeBytes: stored.byteLength });
bare.disconnect();
await store.close();

async function p50(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < callsPerRound; count++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  return middle(times);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
