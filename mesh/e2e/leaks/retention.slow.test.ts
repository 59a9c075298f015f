import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { ask } from '../../../services/cache/testing/asking.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

const as = (mesh: WholeMesh, user: string) => mesh.as(testPrincipal({ tenant: 'demo', user }));
const sessionsOf = async (mesh: WholeMesh, user: string) =>
  (await mesh.client(ChatService).listSessions({}, await as(mesh, user))).sessions.length;
const answersOf = async (mesh: WholeMesh, user: string) => {
  const entries = await collect(mesh.client(AuditService).queryAudit({ user }, await as(mesh, 'auditor')));
  return entries.map(({ entry }) => entry?.record?.answer !== '');
};
const dayMs = 86_400_000;
const cache = { ttlSeconds: (30 * dayMs) / 1000 };
/** Asks the cache, and fills it if it has no answer. Returns whether it had none. */
const askCache = async (mesh: WholeMesh, question: string) => {
  const generating = { answer: 'yes', pauseMs: 0, onBegin() {} };
  return (await ask(mesh.client(CacheService), await as(mesh, 'ann'), question, generating)).hasLed;
};
const entryCount = async (mesh: WholeMesh) => {
  const { layers } = await mesh.client(CacheService).getStats({}, await as(mesh, 'operator'));
  return Number(layers.find(({ layer }) => layer === CacheLayer.DURABLE)?.entryCount);
};

test('retention removes what is too old, but not of held users; an erasure that was interrupted is completed at the start', async () => {
  let now = Date.now() - 25 * dayMs;
  const first = await startWholeMesh({ sample: false, clock: () => now, config: { cache } });
  const { dataDir } = first;
  for (const user of ['ann', 'bob', 'cid']) {
    await askWhole(first.client(ChatService), { question: 'Hello?', createSession: true }, await as(first, user));
  }
  // Found for 30 days, so that only retention removes it.
  expect(await askCache(first, 'Old?')).toBe(true);
  expect(await askCache(first, 'Old?')).toBe(false);
  now += 10 * dayMs;
  expect(await askCache(first, 'New?')).toBe(true);
  now -= 10 * dayMs;
  await first.client(PrivacyService).putLegalHold({ user: 'bob', reason: 'case' }, await as(first, 'operator'));
  await first.close(true);

  // As a kill before the first step has left it.
  const file = new DatabaseSync(join(dataDir, 'privacy', 'privacy.db'));
  file
    .prepare(`INSERT INTO erasures VALUES ('demo', 'e1', ?, 'operator', ?, NULL, '{}')`)
    .run(JSON.stringify({ kind: 'user', user: 'cid' }), now);
  file.close();

  now += 25 * dayMs;
  const retention = [{ tenant: 'demo', sessionsDays: 20, auditDays: 20, cacheDays: 20 }];
  const config = { cache, privacy: { retention } };
  const mesh = await startWholeMesh({ sample: false, dataDir, clock: () => now, config });
  const get = async () =>
    (await mesh.client(PrivacyService).getErasure({ erasureId: 'e1' }, await as(mesh, 'operator'))).erasure;
  await expect.poll(async () => (await get())?.finishedAt !== undefined, { timeout: 30_000 }).toBe(true);
  await expect.poll(() => answersOf(mesh, 'ann'), { timeout: 30_000 }).toEqual([false]);
  expect(await answersOf(mesh, 'bob')).toEqual([true]);
  expect(await answersOf(mesh, 'cid')).toEqual([]);
  expect(await Promise.all(['ann', 'bob', 'cid'].map((user) => sessionsOf(mesh, user)))).toEqual([0, 1, 0]);
  const check = await mesh.client(AuditService).verifyChain({}, await as(mesh, 'auditor'));
  expect(check).toMatchObject({ intact: true, keyMissingCount: 0n });
  const privacy = mesh.client(PrivacyService);
  const kept = await privacy.getRetention({}, await as(mesh, 'operator'));
  expect(kept).toMatchObject({ sessionsDays: 20, auditDays: 20, cacheDays: 20 });
  await expect.poll(() => entryCount(mesh), { timeout: 30_000 }).toBe(1);
  expect(await askCache(mesh, 'New?')).toBe(false);
  expect(await askCache(mesh, 'Old?')).toBe(true);
  await privacy.eraseUser({ user: 'dan', erasureId: 'e2' }, await as(mesh, 'operator'));
  const pages = [];
  for (let pageToken = '', isOver = false; !isOver; isOver = pageToken === '') {
    const page = await privacy.listErasures({ pageSize: 1, pageToken }, await as(mesh, 'operator'));
    pages.push(page.erasures.map(({ erasureId }) => erasureId));
    pageToken = page.nextPageToken;
  }
  expect(pages).toEqual([['e2'], ['e1']]);
  await mesh.close(true);
  rmSync(dataDir, { recursive: true });
});
