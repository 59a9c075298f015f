import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import { AuditExportFormat, AuditExportService } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { AuditService, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';
import { recordOf } from '../testing/audit.ts';
import { openTables } from '../testing/tables.ts';

const roles = [Role.READER, Role.AUDITOR, Role.OPERATOR];
const as = (mesh: TestMesh, user = 'ann', tenant = 'acme') => mesh.as(testPrincipal({ tenant, user, roles }));
const record = async (mesh: TestMesh, answerId: string, init: Parameters<typeof recordOf>[1] = {}, user = 'ann') =>
  mesh.client(AuditService).record(recordOf(answerId, init), await as(mesh, user));
const exported = async (mesh: TestMesh, request: object = {}, tenant = 'acme') =>
  collect(mesh.client(AuditExportService).exportAudit(request, await as(mesh, 'auditor', tenant)));
const jsonOf = async (mesh: TestMesh, request: object = {}) =>
  (await exported(mesh, request)).map(({ line }) => JSON.parse(line) as Record<string, never>);

test('lines continue after any cursor, in order, and another tenant has none of them', async () => {
  await using mesh = await startTestMesh([audit]);
  for (let index = 1; index <= 120; index++) await record(mesh, `a${index}`);
  const all = await exported(mesh);
  expect(all.map(({ sequence }) => Number(sequence))).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
  const parts = [];
  for (let afterSequence = 0n; afterSequence < 120n; ) {
    const part = await exported(mesh, { afterSequence, limit: 7 + (Number(afterSequence) % 60) });
    parts.push(...part);
    afterSequence = part.at(-1)?.sequence ?? 0n;
  }
  expect(parts).toEqual(all);
  expect(await exported(mesh, { afterSequence: 120n })).toEqual([]);
  expect(await exported(mesh, {}, 'bolt')).toEqual([]);
});

test('hashed bytes of lines prove the chain', async () => {
  await using mesh = await startTestMesh([audit]);
  for (const id of ['a1', 'a2', 'a3']) await record(mesh, id);
  let previous = Buffer.alloc(32);
  for (const line of await jsonOf(mesh, { withHashedBytes: true })) {
    const { hash, hashed_bytes = '' } = line as { hash?: string; hashed_bytes?: string };
    previous = createHash('sha256').update(previous).update(Buffer.from(hashed_bytes, 'base64')).digest();
    expect(hash).toBe(previous.toString('base64'));
  }
});

test('an erased entry is a line that says so, in both formats, and its receipt is one', async () => {
  await using mesh = await startTestMesh([audit]);
  await record(mesh, 'a1', { question: 'planted-question' });
  await record(mesh, 'a2', {}, 'bob');
  await mesh.client(AuditErasureService).eraseAuditUser({ erasureId: 'e1', user: 'ann' }, await as(mesh, 'boss'));
  const lines = await jsonOf(mesh);
  expect(lines.map(({ content }) => content)).toEqual([
    'ENTRY_CONTENT_ERASED',
    'ENTRY_CONTENT_WHOLE',
    'ENTRY_CONTENT_WHOLE',
  ]);
  expect(lines[2]).toMatchObject({ erasure: { erasure_id: 'e1', subject: lines[0]?.subject } });
  const events = await jsonOf(mesh, { format: AuditExportFormat.OCSF });
  expect(events[0]).toMatchObject({ class_uid: 6003, unmapped: { content: 'ENTRY_CONTENT_ERASED' } });
  expect(events[2]).toMatchObject({
    ...{ class_uid: 3004, activity_id: 4, type_uid: 300404, entity: { type: 'user', uid: lines[0]?.subject } },
  });
  expect(JSON.stringify([lines, events])).not.toMatch(/planted-question|"ann"/);
});

test('events of OCSF have what their classes require', async () => {
  await using mesh = await startTestMesh([audit], { clock: () => 1_790_000_000_123 });
  await record(mesh, 'a1', { outcome: AnswerOutcome.ANSWERED, totalUs: 12_300n, sessionId: 's1' });
  await record(mesh, 'a2', { outcome: AnswerOutcome.REFUSED });
  const change = { action: ChangeAction.API_KEY_REVOKED, resource: 'key-1', actorTenant: 'acme', reason: 'left' };
  await record(mesh, 'change/1', { change, evidence: [] });
  const [answered, refused, revoked] = await jsonOf(mesh, { format: AuditExportFormat.OCSF });
  const metadata = { version: '1.5.0', product: { vendor_name: 'ragmesh' }, sequence: 1, tenant_uid: 'acme' };
  expect(answered).toMatchObject({
    ...{ category_uid: 6, class_uid: 6003, activity_id: 2, type_uid: 600302, severity_id: 1, time: 1_790_000_000_123 },
    ...{ metadata, actor: { user: { uid: 'ann' } }, api: { operation: 'Ask' }, src_endpoint: { svc_name: 'chat' } },
    ...{ resources: [{ uid: 'zh/returns.md', namespace: 'shop', version: '3' }], status_id: 1, duration: 12 },
  });
  expect(refused).toMatchObject({ status_id: 2, status_detail: 'ANSWER_OUTCOME_REFUSED' });
  expect(revoked).toMatchObject({
    ...{ category_uid: 3, class_uid: 3004, activity_id: 4, type_uid: 300404, comment: 'left' },
    entity: { uid: 'key-1', type: 'api_key' },
  });
});

test('an entry that is missing is an error and not a gap', async () => {
  await using mesh = await startTestMesh([audit]);
  for (const id of ['a1', 'a2', 'a3']) await record(mesh, id);
  const tables = await openTables(mesh);
  await tables.run(`DELETE FROM entries WHERE sequence = ?`, 2);
  await tables.close();
  const failure = await exported(mesh).catch((error: unknown) => error);
  expect(errorInfoOf(failure)).toMatchObject({ reason: 'AUDIT_CHAIN_BROKEN', metadata: { sequence: '2' } });
  const shorter = await exported(mesh, { afterSequence: 9n }).catch((error: unknown) => error);
  expect(errorInfoOf(shorter)).toMatchObject({ reason: 'AUDIT_CHAIN_BROKEN' });
});

test('only an auditor exports', async () => {
  await using mesh = await startTestMesh([audit]);
  const reader = await mesh.as(testPrincipal({ roles: [Role.READER, Role.OPERATOR] }));
  await expect(collect(mesh.client(AuditExportService).exportAudit({}, reader))).rejects.toThrow(/auditor/);
});
