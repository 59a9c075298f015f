import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ApiKeyKind, ApiKeyService } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { LimitService } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type Erasure, PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import { SearchLabService } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, type WholeMesh } from './whole-mesh.ts';

/** Values that are planted. Each is one word, so that it is a token of the search too. */
export const planted = {
  user: 'zqxuser3305',
  question: 'zqxquestion5512',
  comment: 'zqxcomment9182',
  document: 'zqxdocument7741',
};
const bystander = 'bystander-1';
const corpus = 'people';
const otherCorpus = 'shop';
const tenant = 'demo';

/** Returns the planted values that bytes have, also as the hex of a dump. */
export function plantedIn(bytes: Uint8Array | string): string[] {
  const buffer = Buffer.from(bytes as Uint8Array);
  return Object.values(planted).filter(
    (value) => buffer.includes(value) || buffer.includes(Buffer.from(value).toString('hex')),
  );
}

/** Returns each file of a folder that has planted values, with them. */
export function plantedFiles(folder: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const values = plantedIn(readFileSync(join(entry.parentPath, entry.name)));
    if (values.length > 0) found[join(entry.parentPath, entry.name).slice(folder.length + 1)] = values;
  }
  return found;
}

const as = (mesh: WholeMesh, user = 'operator') => mesh.as(testPrincipal({ tenant, user }));

async function ingest(mesh: WholeMesh, into: string, document: Record<string, string | string[]>): Promise<void> {
  const indexer = mesh.client(IndexerService);
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus: into } } };
      yield { part: { case: 'file' as const, value: { path: 'documents.jsonl' } } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(JSON.stringify(document)) } };
    })(),
    await as(mesh),
  );
  for await (const { job } of indexer.watchJob({ jobId }, await as(mesh))) {
    if (job?.state === JobState.FAILED) throw new Error(job.error);
  }
}

/** Plants a key that is the user's own, one that the user has made, limits that name the user, and a look of an operator as the user. */
async function plantInAccounts(mesh: WholeMesh): Promise<void> {
  const keys = mesh.client(ApiKeyService);
  const roles = [Role.READER];
  const { user } = planted;
  await keys.createApiKey({ kind: ApiKeyKind.USER, user, name: `${user}-laptop`, roles }, await as(mesh));
  await keys.createApiKey({ kind: ApiKeyKind.SERVICE_ACCOUNT, name: 'shop', roles }, await as(mesh, user));
  const limits = mesh.client(LimitService);
  const limit = { requestsPerMinute: 1000n };
  await limits.putLimit({ target: { layer: 'user', name: user }, limit }, await as(mesh));
  await limits.putLimit({ target: { layer: 'cost_centre', name: 'care' }, limit, users: [user] }, await as(mesh));
  const look = { search: { query: 'returns', corpora: [corpus] }, viewAs: { user, reason: `ticket of ${user}` } };
  await mesh.client(SearchLabService).runSearch(look, await as(mesh));
}

/** Plants the values: documents, questions, answers, sessions, feedback, cache, keys. */
export async function plant(mesh: WholeMesh): Promise<void> {
  await ingest(mesh, corpus, {
    ...{ id: 'd1', title: 'Returns' },
    text: `The manager of returns is ${planted.document}, reachable on weekdays.`,
  });
  // Hidden from the operator, who is to erase it all the same.
  const hidden = `The deputy on Sundays is ${planted.document}.`;
  await ingest(mesh, corpus, { id: 'd2', title: 'Deputies', text: hidden, groups: ['care'] });
  const text = 'Shipping takes three days and is free above fifty euros.';
  await ingest(mesh, otherCorpus, { id: 'd1', title: 'Shipping', text });
  await plantInAccounts(mesh);
  const chat = mesh.client(ChatService);
  const own = await as(mesh, planted.user);
  for (const question of ['Who is the manager of returns?', `Who manages returns for ${planted.question}?`]) {
    const { done } = await askWhole(chat, { question, createSession: true }, own);
    const comment = `said ${planted.comment}`;
    await chat.submitFeedback({ answerId: done.answerId, rating: Rating.DOWN, comment }, own);
  }
  const other = await askWhole(
    chat,
    { question: 'How long does shipping take?', createSession: true, corpora: [otherCorpus] },
    await as(mesh, bystander),
  );
  expect(other.text).toContain('three days');
}

/** Checks that a hold keeps what it should, and that an export has it. */
export async function holdAndExport(mesh: WholeMesh): Promise<void> {
  const privacy = mesh.client(PrivacyService);
  const options = await as(mesh);
  await privacy.putLegalHold({ user: planted.user, reason: 'case 12' }, options);
  const chat = mesh.client(ChatService);
  const own = await as(mesh, planted.user);
  const { sessions } = await chat.listSessions({}, own);
  const refused = [
    privacy.eraseUser({ user: planted.user }, options),
    chat.deleteSession({ sessionId: sessions[0]?.sessionId ?? '' }, own),
  ];
  for (const result of await Promise.allSettled(refused)) {
    expect(result.status).toBe('rejected');
    expect(errorInfoOf((result as PromiseRejectedResult).reason)?.reason).toBe('LEGAL_HOLD');
  }
  expect((await privacy.listLegalHolds({}, options)).holds).toMatchObject([{ user: planted.user, reason: 'case 12' }]);
  await privacy.releaseLegalHold({ user: planted.user }, options);
  const lines = (await collect(privacy.exportUser({ user: planted.user }, options))).map(({ json }) =>
    JSON.parse(json),
  );
  expect(new Set(lines.map(({ store }) => store))).toEqual(new Set(['accounts', 'chat', 'audit', 'ledger']));
  const text = JSON.stringify(lines);
  for (const value of [planted.question, planted.comment]) expect(text).toContain(value);
  expect(text).not.toContain('shipping');
}

const countsOf = (erasure: Erasure | undefined) =>
  Object.fromEntries((erasure?.stores ?? []).map(({ store, foundCount }) => [store, Number(foundCount)]));

/** Erases user and document; returns what was found in each store. A second time nothing is found. */
export async function eraseAll(mesh: WholeMesh): Promise<Record<string, Record<string, number>>> {
  const privacy = mesh.client(PrivacyService);
  const options = await as(mesh);
  const ofUser = await privacy.eraseUser({ user: planted.user, erasureId: 'u1' }, options);
  expect(ofUser.erasure?.finishedAt).toBeDefined();
  const document = { corpus, documentId: 'd1' };
  const ofDocument = await privacy.eraseDocument({ ...document, erasureId: 'd1' }, options);
  const ofHidden = await privacy.eraseDocument({ corpus, documentId: 'd2' }, options);
  expect(countsOf(ofHidden.erasure)).toMatchObject({
    'retrieval.documents': 1,
    'retrieval.passages': 1,
    'indexer.contents': 1,
  });
  const again = [
    await privacy.eraseDocument({ corpus, documentId: 'd2' }, options),
    await privacy.eraseUser({ user: planted.user }, options),
    await privacy.eraseDocument(document, options),
  ];
  for (const { erasure } of again) expect(Object.values(countsOf(erasure)).filter((count) => count > 0)).toEqual([]);
  expect((await privacy.getErasure({ erasureId: 'u1' }, options)).erasure).toEqual(ofUser.erasure);
  return { user: countsOf(ofUser.erasure), document: countsOf(ofDocument.erasure) };
}

/** Checks that what was not erased is as before, and that the chain is intact. */
export async function checkRest(mesh: WholeMesh): Promise<void> {
  const options = await as(mesh);
  const check = await mesh.client(AuditService).verifyChain({}, options);
  expect(check).toMatchObject({ intact: true, keyMissingCount: 0n });
  expect(check.erasures.length).toBeGreaterThan(0);
  const chat = mesh.client(ChatService);
  const own = await as(mesh, bystander);
  const { sessions } = await chat.listSessions({}, own);
  const { turns } = await chat.getSession({ sessionId: sessions[0]?.sessionId ?? '' }, own);
  expect(turns[0]?.answer).toContain('three days');
  const entries = await collect(mesh.client(AuditService).queryAudit({ user: bystander }, options));
  expect(entries[0]?.entry?.record?.answer).toContain('three days');
  expect((await chat.listSessions({}, await as(mesh, planted.user))).sessions).toEqual([]);
  const { text } = await askWhole(chat, { question: 'Who is the manager of returns?' }, options);
  expect(plantedIn(text)).toEqual([]);
}
