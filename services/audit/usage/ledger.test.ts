import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditService, type RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from '../testing/audit.ts';

const clientOf = (mesh: TestMesh) => mesh.client(AuditService);
const usageOf = (promptTokens: number, costMicros?: number) => ({
  promptTokens: BigInt(promptTokens),
  completionTokens: 1n,
  ...(costMicros === undefined ? {} : { costMicros: BigInt(costMicros), currency: 'USD' }),
});
const requestOf = (requestId: string, promptTokens = 100, costMicros: number | undefined = 7, model = 'gpt') => ({
  requestId,
  usages: [{ model, provider: 'openai', usage: usageOf(promptTokens, costMicros) }],
});
const report = async (mesh: TestMesh, tenant = 'acme') => {
  const { rows } = await clientOf(mesh).getUsageReport({}, await mesh.as(testPrincipal({ tenant })));
  return rows.map((row) =>
    [
      row.day,
      row.model,
      row.user,
      row.answerCount,
      row.cachedCount,
      row.promptTokens,
      row.costMicros,
      row.currency,
    ].join(' '),
  );
};
const day = Date.parse('2026-11-20T23:59:00Z');

test('a request counts once in its tenant, however often it is recorded, concurrently or later, also after a restart', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-ledger-'));
  const first = await startTestMesh([audit], { dataDir, clock: () => day });
  const options = await first.as();
  const told = Array.from({ length: 20 }, () => clientOf(first).recordUsage(requestOf('r1'), options));
  const results = await Promise.all(told);
  expect(results.filter(({ recorded }) => recorded)).toHaveLength(1);
  await clientOf(first).recordUsage(requestOf('r1'), await first.as(testPrincipal({ tenant: 'bolt', user: 'bob' })));
  await first.close(true);
  await using mesh = await startTestMesh([audit], { dataDir, clock: () => day });
  expect(await clientOf(mesh).recordUsage(requestOf('r1', 999), await mesh.as())).toMatchObject({ recorded: false });
  expect(await clientOf(mesh).recordUsage(requestOf('r2'), await mesh.as())).toMatchObject({ recorded: true });
  expect(await report(mesh)).toEqual(['2026-11-20 gpt ann 0 0 200 14 USD']);
  expect(await report(mesh, 'bolt')).toEqual(['2026-11-20 gpt bob 0 0 100 7 USD']);
});

test('each model that took part counts, on the day of the request, and never on a future day', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => day + 120_000 });
  const record = async (requestId: string, requestedAtMs: number) => {
    const usages = [
      { model: 'gpt', provider: 'openai', usage: usageOf(10, 3) },
      { model: 'qwen', provider: 'dashscope', usage: { ...usageOf(20, 4), currency: 'CNY' } },
      { model: 'local', provider: 'ollama', usage: usageOf(30) },
      { model: 'gpt', provider: 'openai', usage: usageOf(10, 3) },
    ];
    const requestedAt = timestampFromMs(requestedAtMs);
    await clientOf(mesh).recordUsage({ requestId, usages, requestedAt }, await mesh.as());
  };
  await record('r1', day);
  expect(await report(mesh)).toEqual([
    '2026-11-20 gpt ann 0 0 20 6 USD',
    '2026-11-20 local ann 0 0 30 0 ',
    '2026-11-20 qwen ann 0 0 20 4 CNY',
  ]);
  await record('r2', day + 48 * 3600 * 1000);
  expect((await report(mesh)).filter((row) => row.includes('local'))).toEqual([
    '2026-11-20 local ann 0 0 30 0 ',
    '2026-11-21 local ann 0 0 30 0 ',
  ]);
});

const answer = { model: 'gpt', usage: usageOf(100, 7) };

test.each([
  ['before', ['usage', 'answer']],
  ['after', ['answer', 'usage']],
])('an answer whose generation is recorded %s it counts by the ledger alone', async (_, order) => {
  await using mesh = await startTestMesh([audit], { clock: () => day });
  const options = await mesh.as();
  for (const what of [...order, ...order]) {
    if (what === 'answer') await clientOf(mesh).record(recordOf('a1', answer), options);
    else await clientOf(mesh).recordUsage(requestOf('a1', 90, 6), options);
  }
  expect(await report(mesh)).toEqual(['2026-11-20 gpt ann 1 0 90 6 USD']);
});

test('an answer that the ledger does not have counts by its own usage', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => day });
  await clientOf(mesh).record(recordOf('a1', answer), await mesh.as());
  await clientOf(mesh).recordUsage(requestOf('a2', 90, 6), await mesh.as());
  expect(await report(mesh)).toEqual(['2026-11-20 gpt ann 1 0 190 13 USD']);
});

test('rewrites and second generations of an answer count beside it, each once', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => day });
  const options = await mesh.as();
  await clientOf(mesh).recordUsage(requestOf('a1/rewrite', 5, 1, 'mini'), options);
  await clientOf(mesh).record(recordOf('a1', { model: 'extractive', usage: usageOf(40) }), options);
  await clientOf(mesh).recordUsage(requestOf('a1', 50, 3), options);
  await clientOf(mesh).recordUsage(
    { requestId: 'a1/2', usages: [{ model: 'extractive', usage: usageOf(40) }] },
    options,
  );
  expect(await report(mesh)).toEqual([
    '2026-11-20 extractive ann 1 0 40 0 ',
    '2026-11-20 gpt ann 0 0 50 3 USD',
    '2026-11-20 mini ann 0 0 5 1 USD',
  ]);
});

test('an answer from a cache costs nothing, but the rewrite that found it does', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => day });
  const options = await mesh.as();
  const cached = { ...answer, usage: { ...answer.usage, fromCache: true }, cacheLayer: CacheLayer.MEMORY };
  await clientOf(mesh).record(recordOf('a1', cached), options);
  await clientOf(mesh).recordUsage(requestOf('a1/rewrite', 5, 1), options);
  expect(await report(mesh)).toEqual(['2026-11-20 gpt ann 1 1 5 1 USD']);
});

test('usage without a request id or without a model is refused', async () => {
  await using mesh = await startTestMesh([audit]);
  const bad: MessageInitShape<typeof RecordUsageRequestSchema>[] = [
    requestOf(''),
    { requestId: 'r', usages: [] },
    { requestId: 'r', usages: [{ model: 'gpt' }] },
    { requestId: 'r', usages: [{ model: '', usage: {} }] },
  ];
  for (const request of bad) {
    const error = await clientOf(mesh)
      .recordUsage(request, await mesh.as())
      .catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.InvalidArgument });
  }
  expect(await report(mesh)).toEqual([]);
});

test('in whatever order records arrive, concurrently and repeated, nothing counts twice and nothing is lost', async () => {
  const step = fc.record({
    answerId: fc.integer({ min: 0, max: 5 }),
    kind: fc.constantFrom('answer', 'generation', 'rewrite'),
    again: fc.boolean(),
  });
  await using mesh = await startTestMesh([audit], { clock: () => day });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
      const tenant = `t${++run}`;
      const options = await mesh.as(testPrincipal({ tenant }));
      const answers = new Set<number>();
      const requests = new Map<string, number>();
      for (const batch of batches) {
        await Promise.all(
          batch.flatMap(({ answerId, kind, again }) => {
            if (kind === 'answer') answers.add(answerId);
            const isCached = answerId === 0;
            const usage = { ...usageOf(10 ** answerId, 1), fromCache: isCached };
            const requestId = kind === 'rewrite' ? `a${answerId}/rewrite` : `a${answerId}`;
            const tokens = kind === 'rewrite' ? 3 : 5 * 10 ** answerId;
            if (kind !== 'answer') requests.set(requestId, tokens);
            const tell = () =>
              kind === 'answer'
                ? clientOf(mesh).record(recordOf(`a${answerId}`, { model: 'gpt', usage }), options)
                : clientOf(mesh).recordUsage(requestOf(requestId, tokens, 1), options);
            return again ? [tell(), tell()] : [tell()];
          }),
        );
      }
      const uncovered = [...answers].filter(
        (id) => id !== 0 && !requests.has(`a${id}`) && !requests.has(`a${id}/rewrite`),
      );
      const tokens = [...requests.values(), ...uncovered.map((id) => 10 ** id)].reduce((a, b) => a + b, 0);
      const rows = await clientOf(mesh).getUsageReport({}, options);
      const sum = (pick: (row: (typeof rows.rows)[number]) => bigint) =>
        rows.rows.reduce((a, row) => a + Number(pick(row)), 0);
      expect(sum((row) => row.answerCount)).toBe(answers.size);
      expect(sum((row) => row.cachedCount)).toBe(answers.has(0) ? 1 : 0);
      expect(sum((row) => row.promptTokens)).toBe(tokens);
      expect(sum((row) => row.costMicros)).toBe(requests.size + uncovered.length);
    }),
    { numRuns: 60 },
  );
});
