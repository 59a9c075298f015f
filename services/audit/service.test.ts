import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { databaseFor, startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from './index.ts';
import { recordOf } from './testing/audit.ts';
import { openTables } from './testing/tables.ts';

const query = async (
  mesh: TestMesh,
  request: Parameters<ReturnType<typeof clientOf>['queryAudit']>[0],
  tenant = 'acme',
) => {
  const messages = await collect(clientOf(mesh).queryAudit(request, await mesh.as(testPrincipal({ tenant }))));
  return messages.map(({ entry }) => entry?.record?.answerId);
};
const clientOf = (mesh: TestMesh) => mesh.client(AuditService);
const at = (iso: string) => timestampFromDate(new Date(iso));

test('a recorded answer comes back whole, with its place in the chain', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => Date.parse('2026-11-22T08:00:00.123Z') });
  const client = mesh.grpcClient(AuditService);
  const record = recordOf('a1', { usage: { promptTokens: 812n, costMicros: 40n, currency: 'USD' }, firstTextUs: 900n });
  expect(await client.record(record, await mesh.as())).toMatchObject({ sequence: 1n });
  const [message] = await collect(client.queryAudit({}, await mesh.as()));
  expect(message?.entry).toMatchObject({
    sequence: 1n,
    tenant: 'acme',
    user: 'ann',
    recordedAt: at('2026-11-22T08:00:00.123Z'),
  });
  expect(message?.entry?.record).toEqual(record);
  expect(message?.entry?.previousHash).toHaveLength(32);
  expect(message?.entry?.hash).toHaveLength(32);
});

test('the same answer recorded again, also at the same time, changes nothing', async () => {
  await using mesh = await startTestMesh([audit]);
  const options = await mesh.as();
  const client = clientOf(mesh);
  const twice = await Promise.all([client.record(recordOf('a1'), options), client.record(recordOf('a1'), options)]);
  await client.record(recordOf('a2'), options);
  const again = await client.record(recordOf('a1', { answer: 'another' }), options);
  expect([...twice, again].map(({ sequence }) => sequence)).toEqual([1n, 1n, 1n]);
  expect(await query(mesh, {})).toEqual(['a2', 'a1']);
  expect((await client.getUsageReport({}, options)).rows).toMatchObject([{ answerCount: 2n }]);
});

test('each tenant has a chain of its own and sees nothing of another', async () => {
  await using mesh = await startTestMesh([audit]);
  const client = clientOf(mesh);
  const tenants = ['acme', 'bolt', 'corp'];
  await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const tenant = tenants[index % 3] as string;
      return client.record(
        recordOf(`same-${Math.floor(index / 3)}`, { answer: tenant }),
        await mesh.as(testPrincipal({ tenant })),
      );
    }),
  );
  for (const tenant of tenants) {
    const options = await mesh.as(testPrincipal({ tenant }));
    const entries = await collect(client.queryAudit({ limit: 1000 }, options));
    expect(entries.map(({ entry }) => Number(entry?.sequence))).toEqual(
      Array.from({ length: 100 }, (_, index) => 100 - index),
    );
    for (const { entry } of entries) expect([entry?.tenant, entry?.record?.answer]).toEqual([tenant, tenant]);
    expect(await client.verifyChain({}, options)).toMatchObject({
      entryCount: 100n,
      intact: true,
      firstBadSequence: 0n,
    });
    expect((await client.getUsageReport({}, options)).rows).toMatchObject([{ answerCount: 100n }]);
  }
  const stranger = await mesh.as(testPrincipal({ tenant: 'dune' }));
  expect(await query(mesh, { answerId: 'same-1', documentId: 'zh/returns.md' }, 'dune')).toEqual([]);
  expect(await client.verifyChain({}, stranger)).toMatchObject({ entryCount: 0n, intact: true });
  expect((await client.getUsageReport({}, stranger)).rows).toEqual([]);
});

test('reading the audit needs the auditor’s role', async () => {
  await using mesh = await startTestMesh([audit]);
  const reader = await mesh.as(testPrincipal({ roles: [Role.READER] }));
  await clientOf(mesh).record(recordOf('a1'), reader);
  for (const refused of [collect(clientOf(mesh).queryAudit({}, reader)), clientOf(mesh).verifyChain({}, reader)]) {
    const error = await refused.then(undefined, (thrown: unknown) => ConnectError.from(thrown));
    expect(error).toMatchObject({ code: Code.PermissionDenied });
  }
});

describe('entries are found', async () => {
  let now = Date.parse('2026-11-20T00:00:00Z');
  const mesh = await startTestMesh([audit], { clock: () => now });
  const users = ['ann', 'bob'];
  for (let index = 0; index < 120; index++) {
    const user = users[index % 2] as string;
    const documentId = `doc-${index % 3}`;
    const evidence = [
      { chunkId: 'x', documentId },
      { chunkId: 'y', documentId },
      { chunkId: 'z', documentId: 'all' },
    ];
    await clientOf(mesh).record(recordOf(`a${index}`, { evidence }), await mesh.as(testPrincipal({ user })));
    now += 60_000;
  }

  test.each([
    ['by user', { user: 'bob', limit: 3 }, ['a119', 'a117', 'a115']],
    ['by document, each once', { documentId: 'doc-1', limit: 2 }, ['a118', 'a115']],
    ['by answer', { answerId: 'a7' }, ['a7']],
    ['by time', { from: at('2026-11-20T00:05:00Z'), before: at('2026-11-20T00:08:00Z') }, ['a7', 'a6', 'a5']],
    ['by all of them at once', { user: 'ann', documentId: 'doc-0', from: at('2026-11-20T01:54:00Z') }, ['a114']],
    ['by the sequence to go on from', { beforeSequence: 3n }, ['a1', 'a0']],
    ['never by a user without entries', { user: 'eve' }, []],
  ])('%s', async (_, request, expected) => {
    expect(await query(mesh, request)).toEqual(expected);
  });

  test('a hundred at a time if no limit is named, and page by page to the first', async () => {
    expect(await query(mesh, {})).toHaveLength(100);
    const seen: unknown[] = [];
    let beforeSequence = 0n;
    for (let page = 0; page < 4; page++) {
      const messages = await collect(
        clientOf(mesh).queryAudit({ documentId: 'all', limit: 50, beforeSequence }, await mesh.as()),
      );
      seen.push(...messages.map(({ entry }) => entry?.record?.answerId));
      beforeSequence = messages.at(-1)?.entry?.sequence ?? 0n;
      if (messages.length < 50) break;
    }
    expect(seen).toEqual(Array.from({ length: 120 }, (_, index) => `a${119 - index}`));
    await mesh.close();
  });
});

test('entries are found by document however many were shown the same documents, across restarts', async () => {
  const entryCount = 3300;
  // Entries with few sets of documents, a set for each, and none.
  const documentsAt = (index: number) => [
    ...(index % 50 === 0 ? [] : ['hot']),
    ...(index % 7 === 0 ? [`of-${index}`] : [`of-${index % 5}`]),
    ...(index < 40 ? ['early'] : []),
  ];
  // The chain may have them in another order.
  const indexAt: number[] = [];
  const record = async (mesh: TestMesh, from: number, before: number) => {
    const options = await mesh.as();
    for (let start = from; start < before; start += 400) {
      const indexes = Array.from({ length: Math.min(400, before - start) }, (_, offset) => start + offset);
      const records = indexes.map(async (index) => {
        const evidence = documentsAt(index).map((documentId) => ({ documentId }));
        const { sequence } = await clientOf(mesh).record(recordOf(`a${index}`, { evidence }), options);
        indexAt[Number(sequence)] = index;
      });
      await Promise.all(records);
    }
  };
  const first = await startTestMesh([audit]);
  await record(first, 0, 1500);
  await first.close(true);
  await using mesh = await startTestMesh([audit], { dataDir: first.dataDir });
  await record(mesh, 1500, 1600);
  await record(mesh, 1600, entryCount);
  for (const documentId of ['hot', 'early', 'of-3', 'of-7', 'of-3297', 'none']) {
    const shownBefore = (sequence: number) =>
      indexAt
        .slice(1, sequence)
        .filter((index) => documentsAt(index).includes(documentId))
        .reverse()
        .map((index) => `a${index}`);
    for (const limit of [3, 200, 1000]) {
      expect(await query(mesh, { documentId, limit })).toEqual(shownBefore(entryCount + 1).slice(0, limit));
    }
    const page = { documentId, limit: 20, beforeSequence: 1200n };
    expect(await query(mesh, page)).toEqual(shownBefore(1200).slice(0, 20));
  }
  const tables = await openTables(mesh);
  const [rows] = await tables.all('SELECT count(*) AS n FROM entry_documents');
  await tables.close();
  // Two rows an entry would be some 6,500.
  expect(Number(rows?.n)).toBeLessThan(3500);
  expect(await clientOf(mesh).verifyChain({}, await mesh.as())).toMatchObject({ intact: true, entryCount: 3300n });
});

test('usage is summed by day, model and user; answers from a cache cost nothing', async () => {
  let now = Date.parse('2026-11-20T23:59:59Z');
  await using mesh = await startTestMesh([audit], { clock: () => now });
  let count = 0;
  const record = async (user: string, model: string, parts: Parameters<typeof recordOf>[1]) =>
    clientOf(mesh).record(recordOf(`a${++count}`, { model, ...parts }), await mesh.as(testPrincipal({ user })));
  const usage = { promptTokens: 100n, completionTokens: 10n, costMicros: 5n, currency: 'USD' };
  await record('ann', 'gpt', { usage });
  await record('ann', 'gpt', { usage });
  await record('ann', 'gpt', { usage: { ...usage, fromCache: true }, cacheLayer: CacheLayer.MEMORY });
  await record('bob', 'gpt', { usage });
  await record('bob', 'extractive', { usage: { promptTokens: 7n, completionTokens: 3n } });
  now += 2000;
  await record('ann', 'gpt', { usage });
  const options = await mesh.as();
  const { rows } = await clientOf(mesh).getUsageReport({}, options);
  const plain = rows.map((row) =>
    [
      row.day,
      row.model,
      row.user,
      row.answerCount,
      row.cachedCount,
      row.promptTokens,
      row.completionTokens,
      row.costMicros,
      row.currency,
    ].join(' '),
  );
  expect(plain).toEqual([
    '2026-11-20 extractive bob 1 0 7 3 0 ',
    '2026-11-20 gpt ann 3 1 200 20 10 USD',
    '2026-11-20 gpt bob 1 0 100 10 5 USD',
    '2026-11-21 gpt ann 1 0 100 10 5 USD',
  ]);
  const second = await clientOf(mesh).getUsageReport(
    { from: at('2026-11-21T00:00:00Z'), before: at('2026-11-22T00:00:00Z') },
    options,
  );
  expect(second.rows.map(({ day }) => day)).toEqual(['2026-11-21']);
  const first = await clientOf(mesh).getUsageReport({ before: at('2026-11-21T00:00:00Z') }, options);
  expect(first.rows).toHaveLength(3);
});

test('a writer that is killed loses nothing that it acknowledged', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-audit-'));
  const database = await databaseFor(dataDir);
  const acknowledged = new Set<string>();
  for (let round = 0; round < 2; round++) {
    const wanted = acknowledged.size + 40;
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('./testing/killed-writer.ts', import.meta.url)), dataDir, database ?? ''],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    for await (const answerId of createInterface({ input: child.stdout })) {
      acknowledged.add(answerId);
      if (acknowledged.size === wanted) child.kill('SIGKILL');
    }
    await using mesh = await startTestMesh([audit], { dataDir });
    const stored = new Set(await query(mesh, { limit: 10_000 }));
    const [usage, answers] = [/^request-/, /^answer-/].map((kind) => [...acknowledged].filter((id) => kind.test(id)));
    expect(answers?.filter((answerId) => !stored.has(answerId))).toEqual([]);
    const { rows } = await clientOf(mesh).getUsageReport({}, await mesh.as());
    const counted = rows.find(({ model }) => model === 'gpt')?.promptTokens;
    expect(Number(counted)).toBeGreaterThanOrEqual(usage?.length ?? 0);
    for (const requestId of usage ?? []) {
      const again = { requestId, usages: [{ model: 'gpt', usage: { promptTokens: 1n } }] };
      expect(await clientOf(mesh).recordUsage(again, await mesh.as())).toMatchObject({ recorded: false });
    }
    const check = await clientOf(mesh).verifyChain({}, await mesh.as());
    expect(check).toMatchObject({ intact: true, entryCount: BigInt(stored.size) });
    await mesh.close(round === 0);
  }
});
