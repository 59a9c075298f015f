import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { CheckKind, EvaluationService, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { evaluation } from '../index.ts';
import { createSearch } from '../testing/stand-ins.ts';
import type { Check } from './check.ts';
import { cacheHits, contextSize, historySize } from './checks/answers.ts';
import { rerank, timeouts } from './checks/calls.ts';
import { batching, chunkSizes } from './checks/indexing.ts';
import { coldStarts, expensiveModels, providerLimits } from './checks/models.ts';
import { countedBetween, createMetrics, readSamples } from './samples.ts';

/** Returns a histogram of these values. */
function histogram(name: string, labels: string, values: number[], bounds: number[]): string {
  const join = (le: string) => `{${[labels, `le="${le}"`].filter(Boolean).join(',')}}`;
  const buckets = bounds.map(
    (bound) => `${name}_bucket${join(String(bound))} ${values.filter((v) => v <= bound).length}`,
  );
  const own = labels === '' ? '' : `{${labels}}`;
  const sum = values.reduce((total, value) => total + value, 0);
  return [
    ...buckets,
    `${name}_bucket${join('+Inf')} ${values.length}`,
    `${name}_sum${own} ${sum}`,
    `${name}_count${own} ${values.length}`,
  ].join('\n');
}
const times = (count: number, value: number) => Array.from({ length: count }, () => value);

const first = (values: number[]) =>
  histogram('ragmesh_llm_first_token_ms', 'provider="p",model="m"', values, [100, 250, 500, 1500, 3000, 10_000]);
const prompts = (part: string, values: number[]) =>
  histogram('ragmesh_prompt_tokens', `part="${part}"`, values, [0, 500, 1000, 4000, 8000]);
const chunks = (values: number[]) => histogram('ragmesh_index_chunk_chars', '', values, [50, 100, 400, 4000, 8000]);
const batches = (texts: number, written: number) =>
  [
    histogram('ragmesh_embedding_batch_texts', 'purpose="document"', times(20, texts), [1, 8, 64]),
    histogram('ragmesh_index_batch_chunks', '', times(20, written), [1, 8, 64]),
  ].join('\n');
const attempts = (model: string, result: string, count: number) =>
  `ragmesh_llm_attempt_total{provider="p",model="${model}",result="${result}"} ${count}`;
const cost = (model: string, micros: number) =>
  `ragmesh_llm_cost_micros_total{model="${model}",currency="USD"} ${micros}`;

const judge = ({ judge: run }: Check, page: string, config: MessageInitShape<typeof ConfigSchema> = {}) =>
  run(createMetrics(readSamples(page)), create(ConfigSchema, config));

const { GOOD, IMPROVE, BAD, UNKNOWN } = Verdict;
type Case = [
  what: string,
  check: Check,
  page: string,
  verdict: Verdict,
  config?: MessageInitShape<typeof ConfigSchema>,
];
const cases: Case[] = [
  ['a cache that hits', cacheHits, 'ai_cache_lookup_total 200\nai_cache_hit_total{layer="L1"} 120', GOOD],
  ['a cache that misses', cacheHits, 'ai_cache_lookup_total 200\nai_cache_hit_total{layer="L2"} 12', IMPROVE],
  ['a cache without use', cacheHits, 'ai_cache_lookup_total 3', UNKNOWN],
  ['evidence of a usual size', contextSize, prompts('evidence', times(50, 1200)), GOOD],
  ['too much evidence', contextSize, prompts('evidence', times(50, 6000)), IMPROVE],
  [
    'short histories',
    historySize,
    `${prompts('history', times(50, 100))}\n${prompts('evidence', times(50, 900))}`,
    GOOD,
  ],
  [
    'long histories',
    historySize,
    `${prompts('history', times(50, 900))}\n${prompts('evidence', times(50, 900))}`,
    IMPROVE,
  ],
  [
    'a dear model for few',
    expensiveModels,
    [attempts('big', 'stop', 5), attempts('small', 'stop', 95), cost('big', 100), cost('small', 900)].join('\n'),
    GOOD,
  ],
  [
    'a dear model that costs most',
    expensiveModels,
    [attempts('big', 'stop', 20), attempts('small', 'stop', 80), cost('big', 9000), cost('small', 900)].join('\n'),
    IMPROVE,
  ],
  ['batches that are full', batching, batches(32, 40), GOOD],
  ['single texts of large writes', batching, batches(1, 40), IMPROVE],
  ['first tokens that are alike', coldStarts, first(times(100, 200)), GOOD],
  ['first tokens of a model that is loaded', coldStarts, first([...times(95, 200), ...times(5, 9000)]), BAD],
  ['providers without refusals', providerLimits, `${attempts('m', 'stop', 100)}\n${first(times(100, 200))}`, GOOD],
  ['providers that refuse', providerLimits, `${attempts('m', 'stop', 90)}\n${attempts('m', 'rate-limited', 10)}`, BAD],
  [
    'an unsteady provider',
    providerLimits,
    `${attempts('m', 'stop', 100)}\n${first([...times(90, 200), ...times(10, 2500)])}`,
    IMPROVE,
  ],
  ['usual chunks', chunkSizes, chunks(times(100, 380)), GOOD],
  ['tiny chunks', chunkSizes, chunks([...times(60, 40), ...times(40, 380)]), IMPROVE],
  ['huge chunks', chunkSizes, chunks([...times(60, 7000), ...times(40, 380)]), IMPROVE],
  [
    'a rerank that changes results',
    rerank,
    'ragmesh_rerank_total{effect="first"} 30\nragmesh_rerank_total{effect="none"} 70',
    GOOD,
  ],
  ['a rerank that changes nothing', rerank, 'ragmesh_rerank_total{effect="none"} 100', IMPROVE],
  [
    'a rerank that is late',
    rerank,
    'ragmesh_rerank_total{effect="first"} 50\nragmesh_rerank_total{effect="failed"} 50',
    BAD,
  ],
  ['no rerank', rerank, '', IMPROVE, { retrieval: { rerankCandidates: 0 } }],
  ['calls in time', timeouts, 'ragmesh_rpc_total{code="ok"} 1000', GOOD],
  ['late calls', timeouts, 'ragmesh_rpc_total{code="ok"} 900\nragmesh_rpc_total{code="DeadlineExceeded"} 100', BAD],
  [
    'an open circuit breaker',
    timeouts,
    'ragmesh_rpc_total{code="ok"} 900\nragmesh_llm_breaker_state{model="m"} 2',
    BAD,
  ],
  [
    'skipped stages',
    timeouts,
    'ragmesh_rpc_total{code="ok"} 900\nragmesh_answer_total{outcome="answered"} 100\nragmesh_degradation_total{stage="RERANK"} 20',
    IMPROVE,
  ],
];

test.each(cases)('%s', (_, check, page, verdict, config) => {
  const result = judge(check, page, config);
  expect(result).toMatchObject({ verdict, finding: expect.stringMatching(/\w/) });
  if (verdict === IMPROVE || verdict === BAD) expect(result.advice).toMatch(/\w/);
});

test('a page has escapes, infinities and lines that are none', () => {
  const samples = readSamples('# HELP x y\nx{a="q\\"uo,te}",b="2"} 3\nbroken\nx{a="c"} +Inf\nx{b="z"} NaN\n');
  expect(samples).toEqual([
    { name: 'x', labels: { a: 'q\\"uo,te}', b: '2' }, value: 3 },
    { name: 'x', labels: { a: 'c' }, value: Number.POSITIVE_INFINITY },
  ]);
});

test('a window counts what happened in it, also of a process that began again', () => {
  const read = (first: number, second: number) => readSamples(`x{p="1"} ${first}\nx{p="2"} ${second}`);
  expect(createMetrics(countedBetween(read(100, 50), read(130, 20))).sum('x')).toBe(30 + 20);
});

describe('the rpc', () => {
  const start = async (config: MessageInitShape<typeof ConfigSchema> = {}) => {
    const mesh = await startTestMesh([createSearch().retrieval, evaluation], { config });
    onTestFinished(() => mesh.close());
    const client = mesh.client(EvaluationService);
    return async (tenant: string, windowSeconds = 0) =>
      client.diagnose({ windowSeconds }, await mesh.as(testPrincipal({ tenant })));
  };

  test('has every check, in order, from the metrics of its own process', async () => {
    const { checks, sourceCount } = await (await start())('demo');
    expect(checks.map(({ kind }) => kind)).toEqual(
      Object.values(CheckKind).filter((kind) => typeof kind === 'number' && kind !== CheckKind.UNSPECIFIED),
    );
    expect(sourceCount).toBe(1);
  });

  test('is for the tenants of the platform only', async () => {
    const diagnose = await start({ evaluation: { platformTenants: ['ops'] } });
    await expect(diagnose('acme')).rejects.toMatchObject({ code: Code.PermissionDenied });
    await expect(diagnose('demo')).rejects.toMatchObject({ code: Code.PermissionDenied });
    await expect(diagnose('ops')).resolves.toBeDefined();
  });

  test('reads every page of metrics, and names those that it cannot read', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/metrics') response.end('ai_cache_lookup_total 150\nai_cache_hit_total{layer="L1"} 100\n');
      else response.writeHead(500).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const page = (path: string) => `http://user:secret@127.0.0.1:${port}${path}?token=secret`;
    const urls = [`http://127.0.0.1:${port}/metrics`, `http://127.0.0.1:${port}/metrics`, page('/broken')];
    const diagnose = await start({ evaluation: { metricsUrls: urls } });
    const { checks, sourceCount, unreachableSources } = await diagnose('demo', 1);
    expect(sourceCount).toBe(2);
    expect(unreachableSources).toEqual([`http://127.0.0.1:${port}/broken`]);
    // Nothing was counted in that second.
    expect(checks[0]).toMatchObject({ kind: CheckKind.CACHE_HITS, verdict: UNKNOWN });
    const since = await diagnose('demo');
    expect(since.checks[0]?.evidence).toContainEqual(expect.objectContaining({ name: 'look-ups', value: 300 }));
  });
});
