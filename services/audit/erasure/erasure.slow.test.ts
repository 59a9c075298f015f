import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import { AuditService, ChangeAction, EntryContent, ErasureKind } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { GuardrailPoint } from '#gen/ragmesh/common/v1/guardrail_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from '../testing/audit.ts';
import { openTables } from '../testing/tables.ts';

const roles = [Role.READER, Role.AUDITOR, Role.OPERATOR];
const as = (mesh: TestMesh, user = 'ann', tenant = 'acme') => mesh.as(testPrincipal({ tenant, user, roles }));
const record = async (mesh: TestMesh, user: string, answerId: string, init: Parameters<typeof recordOf>[1] = {}) =>
  mesh.client(AuditService).record(recordOf(answerId, init), await as(mesh, user));
const entries = async (mesh: TestMesh, user = '') => {
  const found = await collect(mesh.client(AuditService).queryAudit({ user, limit: 1000 }, await as(mesh)));
  return found.reverse();
};
const verify = async (mesh: TestMesh) => mesh.client(AuditService).verifyChain({}, await as(mesh));
const erase = async (mesh: TestMesh, user: string, erasureId = `e-${user}`) =>
  mesh.client(AuditErasureService).eraseAuditUser({ erasureId, user }, await as(mesh, 'boss'));
const answersOf = (found: Awaited<ReturnType<typeof entries>>) => found.map(({ entry }) => entry?.record?.answer);

/** All bytes that the database has of its rows. */
const stored = async (mesh: TestMesh) => {
  const tables = await openTables(mesh);
  const rows = await tables.all('SELECT * FROM entries');
  await tables.close();
  return rows
    .flatMap(Object.values)
    .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)))
    .join('\n');
};

test('what an entry says of its user is stored encrypted, comes back whole, and its hash can be recomputed by anyone', async () => {
  await using mesh = await startTestMesh([audit]);
  const secrets = { question: 'is my salary 4711?', answer: 'it is 4711 [1]', standaloneQuestion: 'salary 4711' };
  const toolCalls = [{ callId: 'c1', tool: 'pay', argumentsJson: '{"n":4711}', detail: 'of 4711' }];
  await record(mesh, 'ann@example.org', 'a1', { ...secrets, sessionId: 's-4711', toolCalls });
  const bytes = await stored(mesh);
  for (const secret of ['4711', 'ann@example.org']) expect(bytes).not.toContain(secret);
  const [found] = await entries(mesh, 'ann@example.org');
  expect(found?.entry).toMatchObject({ user: 'ann@example.org', content: EntryContent.WHOLE });
  expect(found?.entry?.record).toMatchObject({ ...secrets, sessionId: 's-4711', toolCalls });
  const hash = createHash('sha256')
    .update(found?.entry?.previousHash ?? '')
    .update(found?.hashedBytes ?? '');
  expect(hash.digest()).toEqual(Buffer.from(found?.entry?.hash ?? ''));
});

test('what guardrails say of a question is encrypted and goes with the user; what they say of passages stays', async () => {
  await using mesh = await startTestMesh([audit]);
  const guardrailVerdicts = [
    { guardrail: 'g', point: GuardrailPoint.QUESTION, rule: 'planted-topic' },
    { guardrail: 'g', point: GuardrailPoint.EVIDENCE, rule: 'orders', chunkId: 'c1' },
  ];
  await record(mesh, 'ann', 'a1', { guardrailVerdicts });
  expect(await stored(mesh)).not.toContain('planted-topic');
  const [before] = await entries(mesh);
  expect(before?.entry?.record?.guardrailVerdicts).toMatchObject(guardrailVerdicts);
  await erase(mesh, 'ann');
  const [after] = await entries(mesh);
  expect(after?.entry?.record?.guardrailVerdicts).toMatchObject([{ rule: 'orders', chunkId: 'c1' }]);
  expect(await verify(mesh)).toMatchObject({ intact: true, erasedCount: 1n });
});

test('the key of an embedded audit is in a file that only its owner reads', async () => {
  await using mesh = await startTestMesh([audit]);
  if (mesh.database !== undefined) return;
  await record(mesh, 'ann', 'a1');
  expect(statSync(join(mesh.dataDir, 'audit', 'users.key')).mode & 0o777).toBe(0o600);
});

test('an erased user is unreadable, all else is as before, and the chain says so', async () => {
  await using mesh = await startTestMesh([audit]);
  for (const [index, user] of ['ann', 'bob', 'ann', 'bob', 'ann'].entries()) {
    await record(mesh, user, `a${index}`, { answer: `for ${user} ${index}` });
  }
  await mesh
    .client(AuditService)
    .recordUsage({ requestId: 'a0', usages: [{ model: 'gpt', usage: { promptTokens: 5n } }] }, await as(mesh, 'ann'));
  expect(await erase(mesh, 'ann')).toMatchObject({ sealedCount: 3n, redactedCount: 0n });
  expect(await erase(mesh, 'ann')).toMatchObject({ sealedCount: 0n, redactedCount: 0n, ledgerCount: 0n });
  expect(await entries(mesh, 'ann')).toEqual([]);
  expect(answersOf(await entries(mesh)).slice(0, 5)).toEqual(['', 'for bob 1', '', 'for bob 3', '']);
  const check = await verify(mesh);
  expect(check).toMatchObject({ intact: true, entryCount: 6n, erasedCount: 3n, keyMissingCount: 0n });
  expect(check.erasures).toMatchObject([{ erasureId: 'e-ann', kind: ErasureKind.USER, sealedCount: 3n }]);
  const receipt = (await entries(mesh)).at(-1)?.entry;
  expect(receipt).toMatchObject({ user: 'boss', erasure: { subject: check.erasures[0]?.subject } });
  const { rows } = await mesh.client(AuditService).getUsageReport({}, await as(mesh));
  expect(rows.map(({ user }) => user)).not.toContain('ann');
  expect(rows.reduce((sum, { promptTokens }) => sum + promptTokens, 0n)).toBe(5n);
  // The user comes back, with another key.
  await record(mesh, 'ann', 'later', { answer: 'new' });
  expect(answersOf(await entries(mesh, 'ann'))).toEqual(['new']);
  expect(await verify(mesh)).toMatchObject({ intact: true, erasedCount: 3n });
});

test('who looked as an erased user, or raised a limit of the user, stays; whom it was about and why does not', async () => {
  await using mesh = await startTestMesh([audit]);
  const look = (resource: string) => ({
    evidence: [],
    change: { action: ChangeAction.VIEWED_AS, resource, reason: `ticket of ${resource}`, detailJson: '{"query":"q"}' },
  });
  const revoked = { action: ChangeAction.API_KEY_REVOKED, resource: 'bob', reason: 'left' };
  await record(mesh, 'ann', 'change/1', look('bob'));
  await record(mesh, 'ann', 'change/2', look('cid'));
  await record(mesh, 'ann', 'change/3', { evidence: [], change: revoked });
  const limited = { action: ChangeAction.LIMIT_RAISED, resource: 'user:bob', reason: 'as bob asked' };
  await record(mesh, 'ann', 'change/4', { evidence: [], change: limited });
  expect(await erase(mesh, 'bob')).toMatchObject({ sealedCount: 0n, redactedCount: 2n });
  expect(await erase(mesh, 'bob')).toMatchObject({ redactedCount: 0n });
  const changes = (await entries(mesh)).slice(0, 4).map(({ entry }) => entry?.record?.change);
  expect(changes).toMatchObject([
    { action: ChangeAction.VIEWED_AS, resource: '', reason: '', detailJson: '' },
    { action: ChangeAction.VIEWED_AS, resource: 'cid', reason: 'ticket of cid' },
    { action: ChangeAction.API_KEY_REVOKED, resource: 'bob', reason: 'left' },
    { action: ChangeAction.LIMIT_RAISED, resource: '', reason: '' },
  ]);
  expect(await stored(mesh)).not.toContain('ticket of bob');
  expect(await verify(mesh)).toMatchObject({ intact: true, redactedCount: 2n });
});

test('entries of before the keys keep verifying, and an erasure removes their texts', async () => {
  const first = await startTestMesh([audit], { config: { audit: { sealUsers: false } } });
  for (let index = 0; index < 450; index++) await record(first, index % 2 ? 'ann' : 'bob', `a${index}`);
  await first.close(true);
  await using mesh = await startTestMesh([audit], { dataDir: first.dataDir });
  await record(mesh, 'ann', 'sealed');
  expect(await verify(mesh)).toMatchObject({ intact: true, entryCount: 451n });
  expect(await erase(mesh, 'ann')).toMatchObject({ sealedCount: 1n, redactedCount: 225n });
  const check = await verify(mesh);
  expect(check).toMatchObject({ intact: true, erasedCount: 1n, redactedCount: 225n, entryCount: 454n });
  const all = await entries(mesh);
  const redacted = all.filter(({ entry }) => entry?.content === EntryContent.REDACTED);
  expect(redacted).toHaveLength(225);
  expect(redacted[0]?.entry).toMatchObject({ user: '', record: { question: '', answer: '', model: 'extractive' } });
  expect(redacted[0]?.entry?.record?.evidence).toHaveLength(1);
  // What is left of a redacted entry is covered by its receipt.
  const tables = await openTables(mesh);
  const [row] = await tables.all('SELECT sequence, bytes FROM entries WHERE redacted_by IS NOT NULL ORDER BY sequence');
  const changed = Uint8Array.from(row?.bytes as Uint8Array);
  changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
  await tables.run('UPDATE entries SET bytes = ? WHERE sequence = ?', changed, row?.sequence ?? 0);
  expect(await verify(mesh)).toMatchObject({ intact: false });
  await tables.run('UPDATE entries SET bytes = ? WHERE sequence = ?', row?.bytes ?? null, row?.sequence ?? 0);
  expect(await verify(mesh)).toMatchObject({ intact: true });
  // An entry cannot be passed off as redacted.
  await tables.run('UPDATE entries SET redacted_by = 452 WHERE sequence = 1');
  expect(await verify(mesh)).toMatchObject({ intact: false });
  await tables.close();
});

test('a key that someone else removed is no erasure', async () => {
  await using mesh = await startTestMesh([audit]);
  await record(mesh, 'ann', 'a1');
  const tables = await openTables(mesh);
  await tables.run('DELETE FROM subjects');
  await tables.close();
  expect(await verify(mesh)).toMatchObject({ intact: true, keyMissingCount: 1n, erasedCount: 0n, erasures: [] });
});

test('answers from an erased document lose their texts, those from one of the same id in another corpus do not', async () => {
  await using mesh = await startTestMesh([audit]);
  const from = (corpus: string) => ({
    evidence: [
      { documentId: 'd', corpus },
      { documentId: 'e', corpus },
    ],
  });
  for (let index = 0; index < 6; index++) await record(mesh, 'ann', `a${index}`, from(index % 2 ? 'x' : 'y'));
  const request = { erasureId: 'e1', corpus: 'x', documentId: 'd' };
  const client = mesh.client(AuditErasureService);
  expect(await client.eraseAuditDocument(request, await as(mesh))).toMatchObject({ redactedCount: 3n });
  expect(await client.eraseAuditDocument(request, await as(mesh))).toMatchObject({ redactedCount: 0n });
  expect(
    answersOf(await entries(mesh))
      .slice(0, 6)
      .map((answer) => answer !== ''),
  ).toEqual([...[true, false, true, false, true, false]]);
  expect(await verify(mesh)).toMatchObject({ intact: true, redactedCount: 3n, entryCount: 7n });
});

test('old entries lose their texts and old sums their users, except those of users who are held', async () => {
  let now = Date.parse('2026-01-10T10:00:00Z');
  await using mesh = await startTestMesh([audit], { clock: () => now });
  for (const user of ['ann', 'bob']) await record(mesh, user, `old ${user}`);
  now += 30 * 86_400_000;
  const before = timestampFromMs(now - 86_400_000);
  await record(mesh, 'ann', 'new');
  const request = { erasureId: 'r', entriesBefore: before, ledgerBefore: before, heldUsers: ['bob'] };
  const client = mesh.client(AuditErasureService);
  expect(await client.expireAudit(request, await as(mesh, 'boss'))).toMatchObject({
    redactedCount: 1n,
    ledgerCount: 1n,
  });
  expect(
    answersOf(await entries(mesh))
      .slice(0, 3)
      .map((answer) => answer !== ''),
  ).toEqual([false, true, true]);
  const { rows } = await mesh.client(AuditService).getUsageReport({}, await as(mesh));
  expect(rows.map(({ day, user }) => `${day} ${user}`)).toEqual(['2026-01-10 ', '2026-01-10 bob', '2026-02-09 ann']);
  expect(await verify(mesh)).toMatchObject({ intact: true, redactedCount: 1n });
});

test('whatever is recorded and erased in whatever order, concurrently too, the chain is intact and only what was erased is unreadable', async () => {
  const users = ['ann', 'bob', 'cid'];
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('record' as const), user: fc.constantFrom(...users) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('erase' as const), user: fc.constantFrom(...users) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('document' as const), user: fc.constantFrom(...users) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
      await using mesh = await startTestMesh([audit]);
      let count = 0;
      let readable: { user: string; answerId: string }[] = [];
      for (const round of rounds) {
        const records = round
          .filter(({ kind }) => kind === 'record')
          .map(({ user }) => ({ user, answerId: `a${++count}` }));
        await Promise.all(
          records.map(({ user, answerId }) =>
            record(mesh, user, answerId, { evidence: [{ documentId: user, corpus: 'c' }] }),
          ),
        );
        readable.push(...records);
        const others = round.filter(({ kind }) => kind !== 'record');
        await Promise.all([
          ...others.map(async ({ kind, user }, index) => {
            if (kind === 'erase') await erase(mesh, user);
            else {
              const request = { erasureId: `d${index}`, corpus: 'c', documentId: user };
              await mesh.client(AuditErasureService).eraseAuditDocument(request, await as(mesh, 'boss'));
            }
          }),
          record(mesh, 'eve', `beside${++count}`),
        ]);
        readable.push({ user: 'eve', answerId: `beside${count}` });
        readable = readable.filter(({ user }) => !others.some((other) => other.user === user));
      }
      const check = await verify(mesh);
      expect(check).toMatchObject({ intact: true, keyMissingCount: 0n });
      const whole = (await entries(mesh)).filter(({ entry }) => entry?.record && entry.content === EntryContent.WHOLE);
      const found = whole.map(({ entry }) => `${entry?.user} ${entry?.record?.answerId}`);
      expect(found.sort()).toEqual(readable.map(({ user, answerId }) => `${user} ${answerId}`).sort());
    }),
    { numRuns: 12 },
  );
});

test('nothing of a user is in any file of the data folder after an erasure', async () => {
  await using mesh = await startTestMesh([audit]);
  if (mesh.database !== undefined) return;
  const planted = 'planted-7f3a';
  await record(mesh, planted, 'a1', { question: planted, answer: planted });
  await record(mesh, 'bob', 'a2');
  await erase(mesh, planted, 'e1');
  const folder = join(mesh.dataDir, 'audit');
  const left = readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(planted));
  expect(left).toEqual([]);
});
