import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { VersionState } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import {
  failureOf,
  type RetrievalMesh,
  type ShortDocument,
  type StartRetrieval,
  toChunk,
} from '../testing/retrieval.ts';

/** Tests the life of versions over a way to start the service. */
export function versionSuite(start: StartRetrieval): void {
  let retrieval: RetrievalMesh;
  let options: Awaited<ReturnType<RetrievalMesh['as']>>;

  beforeAll(async () => {
    retrieval = await start({ config: { keptVersions: 2 } });
    options = await retrieval.as();
  });
  afterAll(() => retrieval.close());

  let corpusCount = 0;
  const newCorpus = () => `corpus-${++corpusCount}`;
  const reasonOf = (error: unknown) => [ConnectError.from(error).code, errorInfoOf(error)?.reason];
  const versionState = [Code.FailedPrecondition, 'VERSION_STATE'];
  const found = async (corpus: string, query = 'apple') =>
    (await retrieval.ask(query, { corpora: [corpus], topK: 50 })).documentIds.toSorted();
  const statesOf = async (corpus: string) => {
    const { versions } = await retrieval.client.listVersions({ corpus }, options);
    return versions.map(({ version, state, documentCount }) => [Number(version), state, Number(documentCount)]);
  };
  const countOf = async (corpus: string, version = 0n) => {
    const counts = await retrieval.client.countIndex({ corpus, version }, options);
    const { documentCount, chunkCount, vectorCount, keywordCount, orphanCount } = counts;
    return [documentCount, chunkCount, vectorCount, keywordCount, orphanCount].map(Number);
  };
  const apples = (...ids: string[]): ShortDocument[] => ids.map((id) => [id, `apple ${id}`]);

  describe('a version', () => {
    test('is invisible until it is published, and then visible immediately', async () => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      expect(version).toBe(1n);
      expect(await retrieval.write(corpus, version, apples('a', 'b'))).toBe(2n);
      expect(await found(corpus)).toEqual([]);
      expect((await retrieval.ask('apple', { corpora: [corpus] })).fused.versions).toMatchObject([
        { corpus, version: 0n },
      ]);
      const revision = await retrieval.publish(corpus, version);
      expect(await found(corpus)).toEqual(['a', 'b']);
      const answer = await retrieval.ask('apple', { corpora: [corpus], minRevision: revision });
      expect(answer.fused.versions).toMatchObject([{ corpus, version: 1n }]);
      expect(answer.passages[0]).toMatchObject({ corpus, version: 1n, title: 'Title of a', ordinal: 0 });
    });

    test('starts as a copy of the live one, and changes only what is written, replaced or left out', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a', 'b', 'c'));
      const version = await retrieval.begin(corpus, 'build-2');
      await retrieval.write(corpus, version, [
        ['b', 'pear b'],
        ['d', 'apple d'],
      ]);
      const request = { corpus, version, documentIds: ['c', 'unknown'] };
      expect((await retrieval.client.removeDocuments(request, options)).documentCount).toBe(1n);
      expect((await retrieval.client.removeDocuments(request, options)).documentCount).toBe(0n);
      expect(await found(corpus)).toEqual(['a', 'b', 'c']);
      expect(await countOf(corpus, version)).toEqual([3, 3, 3, 3, 0]);
      await retrieval.publish(corpus, version);
      expect(await found(corpus, 'apple pear')).toEqual(['a', 'b', 'd']);
      expect(await countOf(corpus)).toEqual([3, 3, 3, 3, 0]);
      expect(await countOf(corpus, 1n)).toEqual([3, 3, 3, 3, 0]);
    });

    test('is searched by services before it is published, with its own texts and access lists, and by no one else', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a', 'b', 'c'));
      const version = await retrieval.begin(corpus, 'build-2');
      await retrieval.write(corpus, version, [
        ['b', 'apple b for staff', { access: { groups: ['staff'] } }],
        ['d', 'apple d'],
      ]);
      await retrieval.client.removeDocuments({ corpus, version, documentIds: ['c'] }, options);
      const asked = { corpora: [corpus], versions: [{ corpus, version }] };
      const as = (groups: string[]) => retrieval.as({ roles: [Role.READER, Role.SERVICE], groups });
      const idsOf = async (groups: string[], ask: object) =>
        (await retrieval.ask('apple', ask, await as(groups))).documentIds.toSorted();
      expect(await idsOf([], asked)).toEqual(['a', 'd']);
      expect(await idsOf(['staff'], asked)).toEqual(['a', 'b', 'd']);
      expect(await idsOf([], { corpora: [corpus] })).toEqual(['a', 'b', 'c']);
      const { fused } = await retrieval.ask('apple', asked, await as([]));
      expect(fused.versions).toMatchObject([{ corpus, version }]);
      const reasonFor = async (roles: Role[]) =>
        reasonOf(await failureOf(retrieval.ask('apple', asked, await retrieval.as({ roles }))));
      expect(await reasonFor([Role.READER, Role.EDITOR])).toEqual([Code.PermissionDenied, 'ROLE_MISSING']);
      expect((await reasonFor([Role.READER, Role.OPERATOR]))[0]).toBe(Code.NotFound);
      const unknown = { ...asked, versions: [{ corpus, version: version + 1n }] };
      expect(reasonOf(await failureOf(retrieval.ask('apple', unknown, await as([]))))[0]).toBe(Code.NotFound);
    });

    test('is begun once by a build, and by no other build meanwhile', async () => {
      const corpus = newCorpus();
      const request = { corpus, buildId: 'build-1', embeddingModel: 'words', dimensions: 16 };
      const first = await retrieval.client.beginVersion(request, options);
      const again = await retrieval.client.beginVersion(request, options);
      expect([first, again].map(({ version, created }) => [version, created])).toEqual([
        [1n, true],
        [1n, false],
      ]);
      const error = await failureOf(retrieval.begin(corpus, 'build-2'));
      expect(reasonOf(error)).toEqual(versionState);
      expect(errorInfoOf(error)?.metadata).toEqual({ state: 'building', version: '1', build_id: 'build-1' });
      await retrieval.publish(corpus, 1n);
      expect((await retrieval.client.beginVersion(request, options)).version).toBe(1n);
      expect(await retrieval.begin(corpus, 'build-2')).toBe(2n);
    });

    test('can be abandoned, and leaves nothing behind', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a', 'b'));
      const version = await retrieval.begin(corpus, 'build-2');
      await retrieval.write(corpus, version, [
        ['a', 'pear'],
        ['c', 'apple c'],
      ]);
      await retrieval.client.removeDocuments({ corpus, version, documentIds: ['b'] }, options);
      await retrieval.client.abandonVersion({ corpus, version }, options);
      expect(await found(corpus)).toEqual(['a', 'b']);
      expect(await countOf(corpus)).toEqual([2, 2, 2, 2, 0]);
      expect(await statesOf(corpus)).toEqual([[1, VersionState.LIVE, 2]]);
      expect(reasonOf(await failureOf(retrieval.write(corpus, version, apples('x'))))).toEqual([
        Code.NotFound,
        'RESOURCE_NOT_FOUND',
      ]);
      // The number is not given again, and the next version is a copy of the live one once more.
      const next = await retrieval.begin(corpus, 'build-3');
      expect(next).toBe(3n);
      expect(await countOf(corpus, next)).toEqual([2, 2, 2, 2, 0]);
    });

    test('never changes once it was published', async () => {
      const corpus = newCorpus();
      const version = await retrieval.build(corpus, 'build-1', apples('a'));
      for (const change of [
        () => retrieval.write(corpus, version, apples('b')),
        () => retrieval.client.removeDocuments({ corpus, version, documentIds: ['a'] }, options),
        () => retrieval.client.abandonVersion({ corpus, version }, options),
      ]) {
        expect(reasonOf(await failureOf(change()))).toEqual(versionState);
      }
      expect(await found(corpus)).toEqual(['a']);
    });
  });

  describe('publishing', () => {
    test('the live version again changes nothing', async () => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      await retrieval.write(corpus, version, apples('a'));
      const revision = await retrieval.publish(corpus, version);
      expect(await retrieval.publish(corpus, version)).toBe(revision);
    });

    test('fails if the version does not hold the expected number of documents', async () => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      await retrieval.write(corpus, version, apples('a', 'b'));
      const publish = (expectedDocumentCount: bigint) =>
        retrieval.client.publishVersion({ corpus, version, expectedDocumentCount }, options);
      const error = await failureOf(publish(3n));
      expect(reasonOf(error)).toEqual(versionState);
      expect(String(error)).toContain('holds 2 documents, not 3');
      expect(await publish(2n)).toMatchObject({ documentCount: 2n, chunkCount: 2n });
    });

    test('keeps as many older versions as configured, and deletes the rows of the others', async () => {
      const corpus = newCorpus();
      for (let build = 1; build <= 5; build++) {
        await retrieval.build(corpus, `build-${build}`, [
          ['a', `apple ${build}`],
          [`d${build}`, 'apple'],
        ]);
      }
      expect(await statesOf(corpus)).toEqual([
        [5, VersionState.LIVE, 6],
        [4, VersionState.KEPT, 5],
        [3, VersionState.KEPT, 4],
      ]);
      // Versions 3, 4 and 5 of document a, and d1 to d5.
      expect(await countOf(corpus)).toEqual([6, 6, 6, 6, 0]);
      const error = await failureOf(retrieval.client.rollbackVersion({ corpus, version: 2n }, options));
      expect(reasonOf(error)).toEqual([Code.NotFound, 'RESOURCE_NOT_FOUND']);
    });

    test('refuses documents that are embedded by another model, until they are written again', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a', 'b'));
      const request = { corpus, buildId: 'build-2', embeddingModel: 'better', dimensions: 16 };
      const { version } = await retrieval.client.beginVersion(request, options);
      await retrieval.write(corpus, version, apples('a'));
      expect(reasonOf(await failureOf(retrieval.publish(corpus, version)))).toEqual(versionState);
      // A document that must be written again has no hash to compare with.
      const listed = new Map<string, number>();
      for await (const { documents } of retrieval.client.listIndexedDocuments({ corpus, version }, options)) {
        for (const { documentId, contentHash } of documents) listed.set(documentId, contentHash.length);
      }
      expect(listed.get('a')).toBeGreaterThan(0);
      expect(listed.get('b')).toBe(0);
      await retrieval.write(corpus, version, apples('b'));
      await retrieval.publish(corpus, version);
      const answer = await retrieval.ask('apple', { corpora: [corpus] });
      expect(answer.fused.embeddingModel).toBe('better');
      expect(answer.documentIds.toSorted()).toEqual(['a', 'b']);
      await retrieval.client.rollbackVersion({ corpus, version: 1n }, options);
      expect((await retrieval.ask('apple', { corpora: [corpus] })).fused.embeddingModel).toBe('words');
    });
  });

  describe('rolling back', () => {
    test('makes an older version live again, with a new revision, and forward again', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a'));
      await retrieval.build(corpus, 'build-2', [
        ['a', 'pear'],
        ['b', 'apple b'],
      ]);
      const before = (await retrieval.client.listCorpora({}, options)).corpora.find(({ name }) => name === corpus);
      const { revision } = await retrieval.client.rollbackVersion({ corpus, version: 1n }, options);
      expect(revision).not.toBe(before?.revision);
      expect(await found(corpus)).toEqual(['a']);
      expect(await statesOf(corpus)).toEqual([
        [2, VersionState.KEPT, 2],
        [1, VersionState.LIVE, 1],
      ]);
      const after = (await retrieval.client.listCorpora({}, options)).corpora.find(({ name }) => name === corpus);
      expect(after).toMatchObject({ revision, liveVersion: 1n, documentCount: 1n });
      await retrieval.client.rollbackVersion({ corpus, version: 2n }, options);
      expect(await found(corpus, 'apple pear')).toEqual(['a', 'b']);
    });

    test('makes the next version a copy of what is live then, without what was rolled back', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a', 'b'));
      await retrieval.build(corpus, 'build-2', [['c', 'apple c']]);
      const third = await retrieval.begin(corpus, 'build-3');
      await retrieval.client.removeDocuments({ corpus, version: third, documentIds: ['a'] }, options);
      await retrieval.publish(corpus, third);
      await retrieval.client.rollbackVersion({ corpus, version: 1n }, options);
      const version = await retrieval.begin(corpus, 'build-4');
      expect(version).toBe(4n);
      expect(await statesOf(corpus)).toEqual([
        [4, VersionState.BUILDING, 2],
        [1, VersionState.LIVE, 2],
      ]);
      await retrieval.write(corpus, version, apples('d'));
      await retrieval.publish(corpus, version);
      expect(await found(corpus)).toEqual(['a', 'b', 'd']);
      expect(await countOf(corpus)).toEqual([3, 3, 3, 3, 0]);
    });

    test('is not undone by a version that was begun before it', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('a'));
      await retrieval.build(corpus, 'build-2', apples('bad'));
      const stale = await retrieval.begin(corpus, 'build-3');
      await retrieval.write(corpus, stale, apples('c'));
      await retrieval.client.rollbackVersion({ corpus, version: 1n }, options);
      const error = await failureOf(retrieval.publish(corpus, stale));
      expect(reasonOf(error)).toEqual(versionState);
      // The same build begins again, from what is live.
      const fresh = await retrieval.begin(corpus, 'build-3');
      expect(fresh).toBe(4n);
      await retrieval.write(corpus, fresh, apples('c'));
      await retrieval.publish(corpus, fresh);
      expect(await found(corpus)).toEqual(['a', 'c']);
    });

    test('needs a version that was published', async () => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      const error = await failureOf(retrieval.client.rollbackVersion({ corpus, version }, options));
      expect(reasonOf(error)).toEqual(versionState);
    });
  });

  describe('purging', () => {
    test('takes documents out of every version, the one in building included', async () => {
      const corpus = newCorpus();
      await retrieval.build(corpus, 'build-1', apples('gone', 'stays'));
      await retrieval.build(corpus, 'build-2', [['gone', 'apple again']]);
      const building = await retrieval.begin(corpus, 'build-3');
      await retrieval.write(corpus, building, [['gone', 'apple once more']]);
      const request = { corpus, documentIds: ['gone', 'unknown'] };
      const purged = await retrieval.client.purgeDocuments(request, options);
      expect(purged).toMatchObject({ documentCount: 1n, chunkCount: 3n });
      const { legs, documentIds } = await retrieval.ask('apple', { corpora: [corpus], minRevision: purged.revision });
      expect(documentIds).toEqual(['stays']);
      expect(legs.flatMap(({ hits }) => hits.map(({ documentId }) => documentId))).not.toContain('gone');
      expect((await retrieval.client.getPassages({ chunkIds: ['gone#0', 'stays#0'] }, options)).passages).toHaveLength(
        1,
      );
      await retrieval.client.rollbackVersion({ corpus, version: 1n }, options);
      expect(await found(corpus)).toEqual(['stays']);
      expect(await countOf(corpus, building)).toEqual([1, 1, 1, 1, 0]);
      const again = await retrieval.client.purgeDocuments(request, options);
      expect(again).toMatchObject({ documentCount: 0n, chunkCount: 0n });
    });

    test('of an unknown corpus is refused', async () => {
      const error = await failureOf(retrieval.client.purgeDocuments({ corpus: 'none', documentIds: ['a'] }, options));
      expect(reasonOf(error)).toEqual([Code.NotFound, 'CORPUS_NOT_FOUND']);
    });
  });

  describe('writing', () => {
    test.each([
      [
        'a vector of other dimensions',
        { chunks: [{ ...toChunk('a', 0, 'x'), vector: vectorOf(8, 1) }] },
        '8 dimensions',
      ],
      [
        'a vector with a component that is not finite',
        { chunks: [{ ...toChunk('a', 0, 'x'), vector: vectorOf(16, Number.NaN) }] },
        'not finite',
      ],
      ['a chunk id that occurs twice', { chunks: [toChunk('a', 0, 'x'), toChunk('a', 0, 'y')] }, 'occurs twice'],
    ])('%s is refused, and nothing is written', async (_, init, message) => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      const error = await failureOf(
        retrieval.write(corpus, version, [
          ['ok', 'apple'],
          ['a', '', init],
        ]),
      );
      expect(ConnectError.from(error).code).toBe(Code.InvalidArgument);
      expect(String(error)).toContain(message);
      expect(await countOf(corpus, version)).toEqual([0, 0, 0, 0, 0]);
    });

    test('documents with many chunks, and with none, are held as they came', async () => {
      const corpus = newCorpus();
      const chunks = Array.from({ length: 50 }, (_, index) => toChunk('many', index, `apple part ${index}`));
      await retrieval.build(corpus, 'build-1', [
        ['many', '', { chunks }],
        ['none', '', { chunks: [] }],
      ]);
      expect(await countOf(corpus)).toEqual([2, 50, 50, 50, 0]);
      const [page] = await collect(retrieval.client.listIndexedDocuments({ corpus }, options));
      expect(page?.documents.map(({ documentId, chunkCount }) => [documentId, chunkCount])).toEqual([
        ['many', 50],
        ['none', 0],
      ]);
    });

    test('batches of one stream may be many, and later ones replace earlier ones', async () => {
      const corpus = newCorpus();
      const version = await retrieval.begin(corpus, 'build-1');
      for (let round = 0; round < 3; round++) {
        await retrieval.write(
          corpus,
          version,
          Array.from({ length: 300 }, (_, index) => [`batch-${index}`, `apple ${round} ${index}`]),
        );
      }
      await retrieval.publish(corpus, version);
      expect(await countOf(corpus)).toEqual([300, 300, 300, 300, 0]);
      const { passages } = await retrieval.client.getPassages({ chunkIds: ['batch-7#0'] }, options);
      expect(passages[0]?.text).toBe('apple 2 7');
    });

    test('a list of what a version holds comes by page, in order, and of the ids that were asked for', async () => {
      const corpus = newCorpus();
      const ids = Array.from({ length: 1500 }, (_, index) => `d${String(index).padStart(4, '0')}`);
      const version = await retrieval.begin(corpus, 'build-1');
      await retrieval.write(corpus, version, apples(...ids.slice(0, 1000)));
      await retrieval.write(corpus, version, apples(...ids.slice(1000)));
      await retrieval.publish(corpus, version);
      const pages = await collect(retrieval.client.listIndexedDocuments({ corpus }, options));
      expect(pages.map(({ documents }) => documents.length)).toEqual([1000, 500]);
      expect(pages.flatMap(({ documents }) => documents.map(({ documentId }) => documentId))).toEqual(ids);
      const some = { corpus, documentIds: ['d0700', 'd0007', 'none'] };
      const [page] = await collect(retrieval.client.listIndexedDocuments(some, options));
      expect(page?.documents.map(({ documentId }) => documentId)).toEqual(['d0007', 'd0700']);
    });
  });

  function vectorOf(length: number, value: number) {
    const values = new Uint8Array(new Float32Array(length).fill(value).buffer);
    return { kind: { case: 'dense' as const, value: { dimensions: length, values } } };
  }
}
