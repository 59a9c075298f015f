import { Code } from '@connectrpc/connect';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import {
  failureOf,
  type RetrievalMesh,
  retrievalWith,
  type ShortDocument,
  type StartRetrieval,
} from '../testing/retrieval.ts';

// Access lists across versions: the newest published list of a document holds in every version that can become live.

const groupsOf = (...groups: string[]) => ({ access: { groups } });
const staff = groupsOf('staff');

/** Returns everything of a corpus that a reader can get hold of, by document id. */
export async function seenBy(retrieval: RetrievalMesh, corpus: string, groups: readonly string[], chunkIds: string[]) {
  const options = await retrieval.as({ roles: [Role.READER], groups: [...groups] });
  const { corpora } = await retrieval.client.listCorpora({}, options);
  const held = corpora.find(({ name }) => name === corpus);
  const empty = { searched: [], legs: [], passages: [], listed: [], documentCount: 0, chunkCount: 0 };
  const { passages } = await retrieval.client.getPassages({ chunkIds }, options);
  const fetched = passages
    .filter((passage) => passage.corpus === corpus)
    .map(({ documentId }) => documentId)
    .toSorted();
  if (held === undefined) return { ...empty, passages: fetched };
  const searched = new Set<string>();
  const legs = new Set<string>();
  // A filter is answered by the database, the same search without one by copies in memory.
  for (const filter of [undefined, { documentIds: chunkIds.map((id) => id.split('#')[0] as string) }]) {
    const answer = await retrieval.ask('apple', { corpora: [corpus], topK: 50, ...(filter && { filter }) }, options);
    for (const id of answer.documentIds) searched.add(id);
    for (const { hits } of answer.legs) for (const { documentId } of hits) legs.add(documentId);
  }
  const pages = await collect(retrieval.client.listIndexedDocuments({ corpus }, options));
  return {
    searched: [...searched].toSorted(),
    legs: [...legs].toSorted(),
    passages: fetched,
    listed: pages.flatMap(({ documents }) => documents.map(({ documentId }) => documentId)),
    documentCount: Number(held.documentCount),
    chunkCount: Number(held.chunkCount),
  };
}

/** Returns what {@link seenBy} returns to a reader of these documents. */
export const allOf = (...ids: string[]) => ({
  searched: ids,
  legs: ids,
  passages: ids,
  listed: ids,
  documentCount: ids.length,
  chunkCount: ids.length,
});

/** Tests access lists across versions over a way to start the service. */
export function accessVersionSuite(start: StartRetrieval): void {
  describe('after a rollback', () => {
    let retrieval: RetrievalMesh;
    const corpus = 'help';
    const build = (corpus: string, version: number, documents: ShortDocument[]) =>
      retrieval.build(corpus, `build-${version}`, documents);
    const rollback = async (corpus: string, version: bigint, groups: string[] = []) => {
      const options = await retrieval.as({ roles: [Role.READER, Role.OPERATOR], groups });
      await retrieval.client.rollbackVersion({ corpus, version }, options);
    };
    const chunks = ['plan#0', 'open#0', 'other#0'];
    beforeEach(async () => {
      retrieval = await start();
    });
    afterEach(() => retrieval.close());

    test('a document that was closed since stays closed, and those who may see it have its older text', async () => {
      await build(corpus, 1, [
        ['plan', 'apple plan'],
        ['open', 'apple open'],
      ]);
      // In memory, as they were.
      expect(await seenBy(retrieval, corpus, [], chunks)).toEqual(allOf('open', 'plan'));
      await build(corpus, 2, [['plan', 'apple newer plan', staff]]);
      await rollback(corpus, 1n);
      expect(await seenBy(retrieval, corpus, [], chunks)).toEqual(allOf('open'));
      expect(await seenBy(retrieval, corpus, ['staff'], chunks)).toEqual(allOf('open', 'plan'));
      const options = await retrieval.as({ groups: ['staff'] });
      expect((await retrieval.ask('plan', { corpora: [corpus] }, options)).passages[0]?.text).toBe('apple plan');

      const search = { query: 'apple', corpora: [corpus] };
      const explain = async (roles: Role[]) =>
        retrieval.client.explain({ search, corpus, documentId: 'plan' }, await retrieval.as({ roles, groups: [] }));
      expect(await explain([Role.READER])).toMatchObject({ verdict: Verdict.ABSENT, heldVersions: [], chunks: [] });
      expect(await explain([Role.READER, Role.OPERATOR])).toMatchObject({
        verdict: Verdict.NO_ACCESS,
        access: { groups: ['staff'] },
      });
    });

    test('and forward again the newest list holds too, and a document that was opened since is open', async () => {
      await build(corpus, 1, [['plan', 'apple plan', staff]]);
      await build(corpus, 2, [['plan', 'apple newer plan']]);
      await build(corpus, 3, [['plan', 'apple newest plan', groupsOf('finance')]]);
      for (const version of [1n, 3n, 2n]) {
        await rollback(corpus, version);
        expect(await seenBy(retrieval, corpus, [], chunks)).toMatchObject({ searched: [], legs: [], passages: [] });
        expect(await seenBy(retrieval, corpus, ['staff'], chunks)).toMatchObject({ searched: [], legs: [] });
        expect(await seenBy(retrieval, corpus, ['finance'], chunks)).toEqual(allOf('plan'));
      }
      await rollback(corpus, 1n);
      await build(corpus, 4, [['plan', 'apple plan at last']]);
      await rollback(corpus, 1n);
      expect(await seenBy(retrieval, corpus, [], chunks)).toEqual(allOf('plan'));
    });

    test('the list of a version that was dropped holds in those before it', async () => {
      await build(corpus, 1, [
        ['plan', 'apple plan'],
        ['open', 'apple open'],
      ]);
      const second = await retrieval.begin(corpus, 'build-2');
      const options = await retrieval.as();
      await retrieval.client.removeDocuments({ corpus, version: second, documentIds: ['plan'] }, options);
      await retrieval.publish(corpus, second);
      await build(corpus, 3, [['plan', 'apple plan', staff]]);
      await rollback(corpus, 2n);
      // Drops version 3, the only one in which the document was closed.
      await build(corpus, 4, [['other', 'apple other']]);
      await rollback(corpus, 1n);
      expect(await seenBy(retrieval, corpus, [], chunks)).toEqual(allOf('open'));
      expect(await seenBy(retrieval, corpus, ['staff'], chunks)).toEqual(allOf('open', 'plan'));
    });

    test('a list that was never published changes nothing', async () => {
      await build(corpus, 1, [['plan', 'apple plan']]);
      const version = await retrieval.begin(corpus, 'build-2');
      await retrieval.write(corpus, version, [['plan', 'apple plan', staff]]);
      await retrieval.client.abandonVersion({ corpus, version }, await retrieval.as());
      expect(await seenBy(retrieval, corpus, [], chunks)).toEqual(allOf('plan'));
      const options = await retrieval.as();
      const [page] = await collect(retrieval.client.listIndexedDocuments({ corpus, anyVersion: true }, options));
      expect(page?.documents).toMatchObject([{ documentId: 'plan', access: { groups: [] } }]);
    });

    test('documents of any version are listed with the list that they have now', async () => {
      await build(corpus, 1, [
        ['plan', 'apple plan'],
        ['open', 'apple open'],
      ]);
      await build(corpus, 2, [['plan', 'apple plan', staff]]);
      const version = await retrieval.begin(corpus, 'build-3');
      const options = await retrieval.as();
      await retrieval.client.removeDocuments({ corpus, version, documentIds: ['plan'] }, options);
      await retrieval.publish(corpus, version);
      const building = await retrieval.begin(corpus, 'build-4');
      await retrieval.write(corpus, building, [['other', 'apple other']]);
      const list = async (anyVersion: boolean, groups: string[], roles: Role[]) => {
        const pages = retrieval.client.listIndexedDocuments(
          { corpus, anyVersion },
          await retrieval.as({ groups, roles }),
        );
        return (await collect(pages)).flatMap(({ documents }) =>
          documents.map(({ documentId, access }) => [documentId, ...(access?.groups ?? [])]),
        );
      };
      expect(await list(true, [], [Role.SERVICE, Role.READER])).toEqual([['open'], ['plan', 'staff']]);
      expect(await list(false, [], [Role.SERVICE, Role.READER])).toEqual([['open']]);
      expect(await list(true, [], [Role.READER])).toEqual([['open']]);
      expect(await list(true, ['staff'], [Role.READER])).toEqual([['open'], ['plan', 'staff']]);
    });
  });

  test('a store that cannot follow holds up the rollback, not the publish, and nothing is found by the old list', async () => {
    let isAway = false;
    const service = retrievalWith(({ vectors, keywords }) => ({
      vectors,
      keywords: {
        ...keywords,
        async apply(tenant, corpusId, change) {
          if (isAway && change.kind === 'access') throw unavailable('keyword store', 'the keyword store is away');
          await keywords.apply(tenant, corpusId, change);
        },
      },
    }));
    const retrieval = await start({ service });
    onTestFinished(() => retrieval.close());
    await retrieval.build('help', 'build-1', [['plan', 'apple plan']]);
    isAway = true;
    await retrieval.build('help', 'build-2', [['plan', 'apple plan', staff]]);
    const options = await retrieval.as();
    const rollback = () => retrieval.client.rollbackVersion({ corpus: 'help', version: 1n }, options);
    expect(await failureOf(rollback())).toMatchObject({ code: Code.Unavailable });
    expect(await seenBy(retrieval, 'help', [], ['plan#0'])).toMatchObject({ legs: [], passages: [], documentCount: 0 });
    isAway = false;
    await rollback();
    expect(await seenBy(retrieval, 'help', [], ['plan#0'])).toMatchObject({ legs: [], passages: [], documentCount: 0 });
    expect(await seenBy(retrieval, 'help', ['staff'], ['plan#0'])).toEqual(allOf('plan'));
  });

  test('whatever is written, closed, opened, removed, purged and rolled back, nothing goes beyond the newest list', async () => {
    await using retrieval = await start({ config: { keptVersions: 3 } });
    const options = await retrieval.as();
    const lists = [[], ['staff'], ['finance'], ['staff', 'finance']];
    const ids = ['a', 'b', 'c'];
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        documents: fc.uniqueArray(fc.record({ id: fc.constantFrom(...ids), groups: fc.constantFrom(...lists) }), {
          minLength: 1,
          selector: ({ id }) => id,
        }),
        removed: fc.subarray(ids),
        isPublished: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('rollback' as const), back: fc.nat(3) }),
      fc.record({ kind: fc.constant('purge' as const), id: fc.constantFrom(...ids) }),
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
        const corpus = `round-${++round}`;
        const name = (id: string) => `${corpus}-${id}`;
        const chunkIds = ids.map((id) => `${name(id)}#0`);
        const newest = new Map<string, string[]>();
        let live = new Set<string>();
        const versions = new Map<bigint, Set<string>>();
        for (const [index, taken] of steps.entries()) {
          if (taken.kind === 'write') {
            const version = await retrieval.begin(corpus, `build-${index}`);
            const written = taken.documents.map(
              ({ id, groups }): ShortDocument => [name(id), `apple ${id} ${index}`, { access: { groups } }],
            );
            await retrieval.write(corpus, version, written);
            const removed = taken.removed.filter((id) => !taken.documents.some((document) => document.id === id));
            if (removed.length > 0) {
              await retrieval.client.removeDocuments({ corpus, version, documentIds: removed.map(name) }, options);
            }
            if (!taken.isPublished) {
              await retrieval.client.abandonVersion({ corpus, version }, options);
              continue;
            }
            await retrieval.publish(corpus, version);
            const held = new Set([...live, ...taken.documents.map(({ id }) => id)]);
            for (const id of removed) held.delete(id);
            for (const { id, groups } of taken.documents) newest.set(id, groups);
            versions.set(version, held);
            live = held;
          } else if (taken.kind === 'rollback') {
            const { versions: kept } = await retrieval.client
              .listVersions({ corpus }, options)
              .catch(() => ({ versions: [] }));
            const target = kept[Math.min(taken.back, kept.length - 1)];
            if (target === undefined) continue;
            await retrieval.client.rollbackVersion({ corpus, version: target.version }, options);
            live = versions.get(target.version) as Set<string>;
          } else if (versions.size > 0) {
            await retrieval.client.purgeDocuments({ corpus, documentIds: [name(taken.id)] }, options);
            for (const held of versions.values()) held.delete(taken.id);
            newest.delete(taken.id);
          }
          for (const groups of [[], ['staff'], ['finance']]) {
            const visible = [...live].filter((id) => {
              const list = newest.get(id) as string[];
              return list.length === 0 || list.some((group) => groups.includes(group));
            });
            const expected = allOf(...visible.map(name).toSorted());
            expect(await seenBy(retrieval, corpus, groups, chunkIds)).toEqual(expected);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
}
