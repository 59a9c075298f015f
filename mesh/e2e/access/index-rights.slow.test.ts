import type { Client } from '@connectrpc/connect';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, type Job } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Rights on documents through the whole mesh, by a model that knows nothing of versions in stores: a document has the
// access list that was published last, and only those who may see it change it or remove it.

const roles = [Role.READER, Role.EDITOR, Role.OPERATOR];
const everyone = [[], ['staff'], ['board']];
const lists = [[], ['staff'], ['board'], ['staff', 'board']];
const ids = ['a.md', 'b.md', 'c.md'];

let mesh: WholeMesh;
let indexer: Client<typeof IndexerService>;
let retrieval: Client<typeof RetrievalService>;
let admin: Client<typeof IndexAdminService>;
beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false, config: { retrieval: { keptVersions: 10 } } });
  indexer = mesh.client(IndexerService);
  retrieval = mesh.client(RetrievalService);
  admin = mesh.client(IndexAdminService);
});
afterAll(() => mesh.close());

const as = (groups: readonly string[]) => mesh.as(testPrincipal({ groups: [...groups], roles }));

async function ingest(
  corpus: string,
  groups: readonly string[],
  file: { path: string; text: string; access: readonly string[] },
  deleteMissing: boolean,
): Promise<Job> {
  const options = await as(groups);
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus, deleteMissing } } };
      const header = { path: file.path, access: { groups: [...file.access] } };
      yield { part: { case: 'file' as const, value: header } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(file.text) } };
    })(),
    options,
  );
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId }, options)) last = job;
  if (last === undefined) throw new Error('the job was never reported');
  return last;
}

/** The model of a corpus. */
function createModel() {
  const access = new Map<string, readonly string[]>();
  const versions = new Map<bigint, Map<string, string>>();
  let live = 0n;
  const held = () => versions.get(live) ?? new Map<string, string>();
  const maySee = (groups: readonly string[], id: string) => {
    const list = access.get(id);
    return list === undefined || list.length === 0 || list.some((group) => groups.includes(group));
  };
  const forgetUnheld = () => {
    for (const id of access.keys()) if (![...versions.values()].some((one) => one.has(id))) access.delete(id);
  };
  return {
    maySee,
    held,
    versions: () => [...versions.keys()],
    visible: (groups: readonly string[]) => [...held()].filter(([id]) => maySee(groups, id)),
    publish(version: bigint, documents: Map<string, string>, id: string | undefined, list: readonly string[]) {
      for (const other of versions.keys()) if (other > live) versions.delete(other);
      versions.set(version, documents);
      live = version;
      if (id !== undefined) access.set(id, list);
      forgetUnheld();
    },
    rollback(version: bigint) {
      live = version;
    },
    delete(id: string): boolean {
      for (const documents of versions.values()) documents.delete(id);
      return access.delete(id);
    },
  };
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ingest' as const),
      who: fc.constantFrom(...everyone),
      id: fc.constantFrom(...ids),
      list: fc.constantFrom(...lists),
      deleteMissing: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rollback' as const), at: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      who: fc.constantFrom(...everyone),
      id: fc.constantFrom(...ids),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer Taken> ? Taken : never;
type Model = ReturnType<typeof createModel>;

/** What every round begins with: a document is closed, and the version in which it was open becomes live again. */
const opening: Step[] = [
  { kind: 'ingest', who: [], id: 'a.md', list: [], deleteMissing: false },
  { kind: 'ingest', who: [], id: 'a.md', list: ['staff'], deleteMissing: false },
  { kind: 'rollback', at: 0 },
];

/** Takes a step in the mesh and in the model, and compares what the caller gets. */
async function take(corpus: string, model: Model, taken: Step, text: string): Promise<void> {
  switch (taken.kind) {
    case 'ingest': {
      const { who, id, list, deleteMissing } = taken;
      const isAllowed = model.maySee(who, id);
      const removed = deleteMissing ? model.visible(who).filter(([other]) => other !== id) : [];
      const job = await ingest(corpus, who, { path: id, text, access: list }, deleteMissing);
      expect(job.error).toBe('');
      expect(job.progress).toMatchObject({
        changedCount: isAllowed ? 1n : 0n,
        failedCount: isAllowed ? 0n : 1n,
        removedCount: BigInt(removed.length),
      });
      if (!isAllowed && removed.length === 0) return;
      const documents = new Map(model.held());
      for (const [other] of removed) documents.delete(other);
      if (isAllowed) documents.set(id, text);
      model.publish(job.version, documents, isAllowed ? id : undefined, list);
      return;
    }
    case 'rollback': {
      const versions = model.versions();
      const version = versions[taken.at % Math.max(1, versions.length)];
      if (version === undefined) return;
      await admin.rollbackVersion({ corpus, version }, await as([]));
      model.rollback(version);
      return;
    }
    case 'delete': {
      const isAllowed = model.maySee(taken.who, taken.id);
      const deleted = await indexer.deleteDocuments({ corpus, documentIds: [taken.id] }, await as(taken.who));
      const expected = isAllowed && model.delete(taken.id) ? 1n : 0n;
      expect(deleted.documentCount).toBe(expected);
      return;
    }
    default:
      taken satisfies never;
  }
}

/** Compares everything that a caller can get of a corpus with the model. */
async function compare(corpus: string, model: Model, groups: readonly string[]): Promise<void> {
  const options = await mesh.as(testPrincipal({ groups: [...groups], roles: [Role.READER] }));
  const visible = new Map(model.visible(groups));
  const names = [...visible.keys()].toSorted();
  const { corpora } = await retrieval.listCorpora({}, options);
  expect(Number(corpora.find(({ name }) => name === corpus)?.documentCount ?? 0n)).toBe(names.length);
  if (corpora.some(({ name }) => name === corpus)) {
    const request = { query: 'apple', corpora: [corpus], topK: 50, collapseDuplicates: false };
    for await (const { event } of retrieval.retrieve(request, options)) {
      if (event.case === 'leg') for (const { documentId } of event.value.hits) expect(names).toContain(documentId);
      if (event.case !== 'fused') continue;
      const texts = event.value.passages.map(({ documentId, text }) => [documentId, text] as const);
      expect(texts.toSorted()).toEqual([...visible].toSorted());
    }
  }
  for (const documentId of ids) {
    const text = await indexer.getDocument({ corpus, documentId }, options).then(
      (found) => found.text,
      () => undefined,
    );
    expect(text).toBe(visible.get(documentId));
  }
  const { documents } = await indexer.listDocuments({ corpus }, options);
  for (const { documentId } of documents) expect(names).toContain(documentId);
}

test('after any sequence of uploads, access changes, rollbacks and deletions, no caller gets or changes what the newest list forbids', async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
      const corpus = `round-${++round}`;
      const model = createModel();
      for (const [index, taken] of [...opening, ...steps].entries()) {
        await take(corpus, model, taken, `apple ${corpus} number ${index}`);
        for (const groups of everyone) await compare(corpus, model, groups);
      }
    }),
    { numRuns: 6, endOnFailure: true },
  );
}, 240_000);

test('no answer from the cache or the index shows a document that was closed before the rollback', async () => {
  const corpus = 'vouchers';
  const staff = ['staff'];
  const text = 'The PELICAN voucher code is FEATHER9.';
  const first = await ingest(corpus, staff, { path: 'promo.md', text, access: [] }, false);
  const chat = mesh.client(ChatService);
  const ask = async (groups: readonly string[]) => {
    const question = { question: 'What is the PELICAN voucher code?', corpora: [corpus] };
    return (await askWhole(chat, question, await as(groups))).text;
  };
  expect(await ask([])).toContain('FEATHER9');
  await ingest(corpus, staff, { path: 'promo.md', text, access: staff }, false);
  expect(await ask([])).not.toContain('FEATHER9');
  await admin.rollbackVersion({ corpus, version: first.version }, await as([]));
  for (let again = 0; again < 2; again++) expect(await ask([])).not.toContain('FEATHER9');
  expect(await ask(staff)).toContain('FEATHER9');
}, 120_000);
