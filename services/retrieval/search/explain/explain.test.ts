import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Leg, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { type RetrievalMesh, startRetrieval, toChunk } from '../../testing/retrieval.ts';

let retrieval: RetrievalMesh;
const reader = { roles: [Role.READER], groups: [] };
const operator = { roles: [Role.READER, Role.OPERATOR], groups: [] };

beforeAll(async () => {
  retrieval = await startRetrieval({ config: { candidates: 3, rerankCandidates: 3 } });
  await retrieval.build('help', 'build-1', [
    ['best', 'apple pear plum'],
    ['second', 'apple pear and then some more words'],
    ['third', 'apple and so many other words that it says little of any fruit at all'],
    ['copy', 'Apple, pear: plum!'],
    ['far', 'kiwi'],
    ['secret', 'apple pear plum for the staff alone', { access: { groups: ['staff'] } }],
    ['old', 'apple pear plum of the old times', { updatedAt: timestampFromMs(1000) }],
    ['gone', 'apple pear plum that will go'],
    ['long', '', { chunks: [toChunk('long', 0, 'melon seeds'), toChunk('long', 1, 'apple tart')] }],
  ]);
  const version = await retrieval.begin('help', 'build-2');
  await retrieval.client.removeDocuments({ corpus: 'help', version, documentIds: ['gone'] }, await retrieval.as());
  await retrieval.publish('help', version);
  await retrieval.build('other', 'build-1', [['elsewhere', 'apple pear plum']]);
});
afterAll(() => retrieval.close());

const explain = async (
  documentId: string,
  search: Parameters<RetrievalMesh['client']['explain']>[0]['search'] = {},
  { corpus = 'help', who = reader }: { corpus?: string; who?: Parameters<RetrievalMesh['as']>[0] } = {},
) =>
  retrieval.client.explain(
    { search: { query: 'apple pear plum', topK: 2, corpora: ['help'], ...search }, corpus, documentId },
    await retrieval.as(who),
  );

describe('a document that came into the result', () => {
  test('is reported with its rank in every stage', async () => {
    const found = await explain('best', { collapseDuplicates: false });
    expect(found.verdict).toBe(Verdict.IN_RESULT);
    expect(found).toMatchObject({ topK: 2, candidateLimit: 3, rerankLimit: 3, version: 2n });
    const [path] = found.chunks;
    expect(path).toMatchObject({ chunkId: 'best#0', verdict: Verdict.IN_RESULT, missingWords: [] });
    expect(path?.matchedWords).toEqual(['appl', 'pear', 'plum']);
    expect(found.degradations).toEqual([]);
    expect(path?.legs.map(({ leg }) => leg).toSorted()).toEqual([Leg.VECTOR, Leg.KEYWORD]);
    for (const { rank, score } of path?.legs ?? []) {
      expect(rank).toBeGreaterThan(0);
      expect(score).toBeGreaterThan(0);
    }
    expect([path?.rank, path?.fusedRank, path?.rerankRank].every((rank) => (rank ?? 0) > 0)).toBe(true);
    expect(found.summary).toMatch(/^It is number [12] of the result \(rank \d of vector, rank \d of keyword/);
  });
});

describe('a document that people have raised', () => {
  test('is reported with its boost and the rank that it would have without', async () => {
    const raised = (id: string, text: string, boost: number) => ({ chunks: [{ ...toChunk(id, 0, text), boost }] });
    await retrieval.build('raised', 'build-1', [
      ['first', 'apple pear plum'],
      ['second', '', raised('second', 'apple pear plum and some more words', 1)],
      ['last', 'apple and so many other words that it says little of any fruit at all'],
      ['low', '', raised('low', 'apple pear plum are fruit', -1)],
    ]);
    const search = { corpora: ['raised'], topK: 4, candidates: 20, rerank: false, collapseDuplicates: false };
    const pathOf = async (id: string) => (await explain(id, search, { corpus: 'raised' })).chunks[0];
    const paths = await Promise.all(['first', 'second', 'last', 'low'].map(pathOf));
    expect(paths.map((path) => path?.boost)).toEqual([0, 1, 0, -1]);
    const plain = paths.map((path) => path?.rankWithoutBoosts ?? 0);
    expect([...plain].sort()).toEqual([1, 2, 3, 4]);
    const ranks = paths.map((path) => path?.rank ?? 0);
    expect([...ranks].sort()).toEqual([1, 2, 3, 4]);
    expect(ranks[1]).toBeLessThan(plain[1] ?? 0);
    expect(ranks[3]).toBeGreaterThanOrEqual(plain[3] ?? 0);
    const unraised = (await explain('best', {}, {})).chunks[0];
    expect(unraised).toMatchObject({ boost: 0, rankWithoutBoosts: 0 });
  });
});

describe('a document that was lost', () => {
  test('among the candidates is reported with its rank', async () => {
    const { verdict, chunks, summary } = await explain('second', {
      topK: 1,
      candidates: 20,
      collapseDuplicates: false,
    });
    expect(verdict).toBe(Verdict.BELOW_TOP_K);
    expect(chunks[0]?.fusedRank).toBeGreaterThan(1);
    expect(summary).toContain('below the 1 requested passages');
  });

  test('below the candidates of every leg is reported with its ranks there', async () => {
    const { verdict, chunks, summary } = await explain('third');
    expect(verdict).toBe(Verdict.BELOW_CANDIDATES);
    const keyword = chunks[0]?.legs.find(({ leg }) => leg === Leg.KEYWORD);
    expect(keyword?.rank).toBeGreaterThan(3);
    expect(keyword?.neededScore).toBeGreaterThan(keyword?.score ?? Number.NaN);
    expect(summary).toContain(`rank ${keyword?.rank} of keyword`);
  });

  test('without a common word is reported as such, with the words that it lacks', async () => {
    const { verdict, chunks } = await explain('far', { legs: [Leg.KEYWORD] });
    expect(verdict).toBe(Verdict.NOT_FOUND);
    expect(chunks[0]?.missingWords).toEqual(['appl', 'pear', 'plum']);
  });

  test('to a near-duplicate names it', async () => {
    const one = await explain('copy', { candidates: 20, topK: 5 });
    const other = await explain('best', { candidates: 20, topK: 5 });
    const [kept, dropped] = one.verdict === Verdict.DUPLICATE ? [other, one] : [one, other];
    expect(kept.verdict).toBe(Verdict.IN_RESULT);
    expect(dropped.verdict).toBe(Verdict.DUPLICATE);
    expect(dropped.chunks[0]?.duplicateOf).toBe(kept.chunks[0]?.chunkId);
  });

  test('to a filter, or to the choice of corpora, is reported as such', async () => {
    const filter = { updatedFrom: timestampFromMs(5000) };
    expect((await explain('old', { filter })).verdict).toBe(Verdict.FILTERED);
    expect(
      (await explain('old', { filter: { updatedFrom: timestampFromMs(500) }, candidates: 20, topK: 9 })).verdict,
    ).toBe(Verdict.IN_RESULT);
    expect((await explain('best', { filter: { documentIds: ['old'] } })).verdict).toBe(Verdict.FILTERED);
    expect((await explain('best', { corpora: ['other'] })).verdict).toBe(Verdict.OTHER_CORPUS);
  });

  test('reports the chunk that got furthest first', async () => {
    const { chunks } = await explain('long', { candidates: 20, topK: 9 });
    expect(chunks.map(({ chunkId }) => chunkId)).toEqual(['long#1', 'long#0']);
  });
});

describe('what the caller may not see', () => {
  test('looks in every field like what is not there', async () => {
    const absent = await explain('nothing');
    expect(absent.verdict).toBe(Verdict.ABSENT);
    for (const hidden of ['secret', 'gone']) expect(await explain(hidden)).toEqual(absent);
    const nowhere = await explain('best', {}, { corpus: 'unknown' });
    expect({ ...nowhere, version: absent.version }).toEqual(absent);
  });

  test('an operator learns whether access or the version kept it away, and who may see it', async () => {
    const secret = await explain('secret', {}, { who: operator });
    expect(secret).toMatchObject({ verdict: Verdict.NO_ACCESS, access: { groups: ['staff'] }, heldVersions: [2n, 1n] });
    const gone = await explain('gone', {}, { who: operator });
    expect(gone).toMatchObject({ verdict: Verdict.OTHER_VERSION, heldVersions: [1n] });
    expect((await explain('nothing', {}, { who: operator })).verdict).toBe(Verdict.ABSENT);
  });

  test('who is in the group sees it on its way', async () => {
    const staff = { ...reader, groups: ['staff'] };
    const { verdict, access } = await explain('secret', { candidates: 20, topK: 9 }, { who: staff });
    expect(verdict).toBe(Verdict.IN_RESULT);
    expect(access).toBeUndefined();
  });

  test("another tenant's document is absent", async () => {
    const stranger = { ...operator, tenant: 'globex' };
    expect((await explain('best', { corpora: [] }, { who: stranger })).verdict).toBe(Verdict.ABSENT);
  });
});

test('an operator learns of a document without text, and of a newer version with another text', async () => {
  await retrieval.build('texts', 'build-1', [
    ['empty', '', { chunks: [] }],
    ['same', 'apple'],
    ['changed', 'pear'],
  ]);
  const version = await retrieval.begin('texts', 'build-2');
  await retrieval.write('texts', version, [['changed', 'apple pear plum']]);
  const ask = (id: string, who = operator) => explain(id, { corpora: ['texts'] }, { corpus: 'texts', who });
  expect(await ask('empty')).toMatchObject({ verdict: Verdict.NO_TEXT, changedInVersion: 0n });
  expect((await ask('empty', reader)).verdict).toBe(Verdict.ABSENT);
  expect((await ask('same')).changedInVersion).toBe(0n);
  expect((await ask('changed')).changedInVersion).toBe(version);
  expect((await ask('changed', reader)).changedInVersion).toBe(0n);
});

test('a leg that fails is named, and the others are reported', async () => {
  retrieval.standIns.beforeEmbed = async () => Promise.reject(new Error('away'));
  const { verdict, degradations, chunks } = await explain('best', { topK: 5, candidates: 20 });
  retrieval.standIns.beforeEmbed = async () => {};
  expect([Verdict.IN_RESULT, Verdict.DUPLICATE]).toContain(verdict);
  expect(degradations).toHaveLength(1);
  expect(chunks[0]?.legs.map(({ leg }) => leg)).toEqual([Leg.KEYWORD]);
});
