import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Fusion, Leg, RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { errorInfoOf, unavailable } from '#kit/base/errors.ts';
import { collect, sleep } from '#kit/base/streams.ts';
import {
  failureOf,
  type RetrievalMesh,
  retrievalWith,
  type Stores,
  startRetrieval,
  toChunk,
} from '../testing/retrieval.ts';

let retrieval: RetrievalMesh;
const reader = { roles: [Role.READER] };

/** What happens before a store searches: nothing, until a test says otherwise. */
const before = { vector: async (_: AbortSignal) => {}, keyword: async (_: AbortSignal) => {} };
const wrap = ({ vectors, keywords }: Stores): Stores => ({
  vectors: {
    ...vectors,
    async search(tenant, query, signal) {
      await before.vector(signal);
      return vectors.search(tenant, query, signal);
    },
  },
  keywords: {
    ...keywords,
    async search(tenant, query, signal) {
      await before.keyword(signal);
      return keywords.search(tenant, query, signal);
    },
  },
});
const forever = (signal: AbortSignal) => sleep(60_000, signal);
const deaf = () => new Promise<void>(() => {});

beforeAll(async () => {
  retrieval = await startRetrieval({
    service: retrievalWith(wrap),
    config: { legTimeoutMs: 150, rerankTimeoutMs: 100, rerankCandidates: 3, corpora: { staff: { rerank: false } } },
  });
  await retrieval.build('help', 'build-1', [
    ['returns', 'apple returns are free within thirty days', { attributes: { kind: 'policy' } }],
    ['shipping', 'apple shipping takes five days', { updatedAt: timestampFromMs(5000) }],
    ['warranty', 'the warranty covers the apple for two years', { updatedAt: timestampFromMs(9000) }],
    ['退货', '苹果支持七天无理由退货', { attributes: { kind: 'policy', region: 'cn' } }],
    ['shop', 'our shop opens at ten'],
  ]);
  await retrieval.build('staff', 'build-1', [
    ['internal', 'apple discounts for staff', { access: { groups: ['staff'] } }],
  ]);
  await retrieval.begin('empty', 'build-1');
});
afterAll(() => retrieval.close());
afterEach(() => {
  retrieval.standIns.beforeEmbed = async () => {};
  retrieval.standIns.beforeRerank = async () => {};
  retrieval.standIns.reranked = {};
  before.vector = async () => {};
  before.keyword = async () => {};
});

/** A search whose stages may be late on a busy machine. */
const ask: typeof retrieval.ask = (query, request, options) =>
  retrieval.ask(query, { waitForStages: true, ...request }, options);

describe('a search', () => {
  test('gives a message a leg, and then passages with the scores of every stage', async () => {
    const { legs, fused, passages } = await ask('apple returns', { corpora: ['help'], topK: 3 });
    expect(legs.map(({ leg }) => leg).toSorted()).toEqual([Leg.VECTOR, Leg.KEYWORD]);
    for (const { hits, latencyUs, degradation } of legs) {
      expect(hits.length).toBeGreaterThan(0);
      expect(hits[0]?.chunkId).toBe(`${hits[0]?.documentId}#0`);
      expect(Number(latencyUs)).toBeGreaterThan(0);
      expect(degradation).toBeUndefined();
    }
    expect(passages[0]).toMatchObject({
      documentId: 'returns',
      chunkId: 'returns#0',
      corpus: 'help',
      text: 'apple returns are free within thirty days',
      title: 'Title of returns',
      language: Language.EN,
      endOffset: 41,
    });
    expect(passages[0]?.scores?.rerank).toBe(1);
    expect(passages[0]?.scores?.keyword).toBeGreaterThan(0);
    expect(passages[0]?.scores?.vector).toBeGreaterThan(0);
    expect(passages[0]?.scores?.fused).toBeGreaterThan(0);
    expect(fused).toMatchObject({ embeddingModel: 'words', rerankModel: 'shared-words', degradations: [] });
    expect(fused.versions).toMatchObject([{ corpus: 'help', version: 1n }]);
  });

  test('gives a leg as soon as it is done, not when all are', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    before.vector = () => released;
    const seen: (Leg | 'fused')[] = [];
    for await (const { event } of retrieval.client.retrieve({ query: 'apple' }, await retrieval.as())) {
      if (event.case === 'leg') seen.push(event.value.leg);
      if (event.case === 'fused') seen.push('fused');
      release();
    }
    expect(seen).toEqual([Leg.KEYWORD, Leg.VECTOR, 'fused']);
  });

  test('takes the legs, fusion, weights and depth that it is asked for', async () => {
    const keywordOnly = await ask('apple', {
      corpora: ['help'],
      legs: [Leg.KEYWORD],
      rerank: false,
      topK: 1,
    });
    expect(keywordOnly.legs.map(({ leg }) => leg)).toEqual([Leg.KEYWORD]);
    expect(keywordOnly.passages).toHaveLength(1);
    expect(keywordOnly.fused).toMatchObject({ embeddingModel: '', rerankModel: '' });
    expect(keywordOnly.passages[0]?.scores?.rerank).toBeUndefined();
    const ranked = await ask('apple', { corpora: ['help'], fusion: Fusion.RECIPROCAL_RANK, candidates: 2 });
    for (const { hits } of ranked.legs) expect(hits).toHaveLength(2);
    const byVector = await ask('apple days', { corpora: ['help'], vectorWeight: 1, rerank: false });
    const [vectorLeg] = byVector.legs.filter(({ leg }) => leg === Leg.VECTOR);
    expect(byVector.documentIds[0]).toBe(vectorLeg?.hits[0]?.documentId);
  });

  test('ranks what the reranker scored before all else', async () => {
    const { passages } = await ask('apple shop', { corpora: ['help'], topK: 5, vectorWeight: 1 });
    expect(passages.slice(0, 3).every(({ scores }) => scores?.rerank !== undefined)).toBe(true);
    expect(passages.slice(3).every(({ scores }) => scores?.rerank === undefined)).toBe(true);
  });

  test('searches every corpus that the caller may see, or those that are named', async () => {
    const outsider = await retrieval.as(reader);
    const insider = await retrieval.as({ ...reader, groups: ['staff'] });
    const all = await ask('apple', { topK: 50 }, insider);
    expect(all.documentIds).toContain('internal');
    expect(all.fused.versions.map(({ corpus, version }) => [corpus, Number(version)])).toEqual([
      ['empty', 0],
      ['help', 1],
      ['staff', 1],
    ]);
    const some = await ask('apple', { topK: 50 }, outsider);
    expect(some.documentIds).not.toContain('internal');
    expect(some.fused.versions.map(({ corpus }) => corpus)).toEqual(['empty', 'help']);
    for (const [corpora, options] of [
      [['staff'], outsider],
      [['unknown'], insider],
      [['help'], await retrieval.as({ tenant: 'stranger' })],
    ] as const) {
      const error = await failureOf(ask('apple', { corpora: [...corpora] }, options));
      expect([ConnectError.from(error).code, errorInfoOf(error)?.reason]).toEqual([Code.NotFound, 'CORPUS_NOT_FOUND']);
    }
    const stranger = await ask('apple', {}, await retrieval.as({ tenant: 'stranger' }));
    expect(stranger.fused).toMatchObject({ passages: [], versions: [] });
  });

  test.each([
    ['documents', { documentIds: ['shipping', 'shop'] }, ['shipping']],
    ['language', { languages: [Language.ZH] }, ['退货']],
    ['an attribute', { attributes: [{ name: 'kind', values: ['policy', 'x'] }] }, ['returns', '退货']],
    [
      'two attributes',
      {
        attributes: [
          { name: 'kind', values: ['policy'] },
          { name: 'region', values: ['cn'] },
        ],
      },
      ['退货'],
    ],
    ['a range of time', { updatedFrom: timestampFromMs(5000), updatedBefore: timestampFromMs(9000) }, ['shipping']],
    ['a beginning', { updatedFrom: timestampFromMs(9000) }, ['warranty']],
  ])('finds only what passes a filter by %s', async (_, filter, documentIds) => {
    for (const legs of [[Leg.KEYWORD], [Leg.VECTOR, Leg.KEYWORD]]) {
      const answer = await ask('apple 苹果', { corpora: ['help'], filter, legs, topK: 50 });
      const found = legs.length === 1 ? answer.documentIds : answer.documentIds.filter((id) => id !== 'shop');
      expect(found.toSorted()).toEqual(documentIds.toSorted());
    }
  });

  test('reranks unless none of its corpora wants it, or the request says otherwise', async () => {
    const staff = await retrieval.as({ groups: ['staff'] });
    const modelOf = async (corpora: string[], rerank?: boolean) =>
      (await ask('apple', { corpora, ...(rerank !== undefined && { rerank }) }, staff)).fused.rerankModel;
    expect(await modelOf(['staff'])).toBe('');
    expect(await modelOf(['staff'], true)).not.toBe('');
    expect(await modelOf(['staff', 'help'])).not.toBe('');
    expect(await modelOf(['help'], false)).toBe('');
  });

  test('takes a revision that it has, and refuses one that it has not', async () => {
    const options = await retrieval.as();
    const { corpora } = await retrieval.client.listCorpora({}, options);
    const revision = corpora.find(({ name }) => name === 'help')?.revision as string;
    expect((await ask('apple', { minRevision: revision })).passages.length).toBeGreaterThan(0);
    const [epoch, number] = revision.split('-');
    for (const minRevision of [`${epoch}-${Number(number) + 100}`, `00000000-${number}`]) {
      const error = await failureOf(ask('apple', { minRevision }));
      expect([ConnectError.from(error).code, errorInfoOf(error)?.reason]).toEqual([
        Code.Aborted,
        'REVISION_NOT_REACHED',
      ]);
    }
    expect(ConnectError.from(await failureOf(ask('apple', { minRevision: 'x' }))).code).toBe(Code.InvalidArgument);
  });

  test.each(['"*:^() NEAR(apple)', '😀🎉', '\ud800', '的', '...', 'apple '.repeat(600), '退', "' OR 1=1 --"])(
    'is content with any text: %j',
    async (query) => {
      const { fused } = await ask(query, { corpora: ['help'] });
      expect(fused.degradations).toEqual([]);
    },
  );

  test('over gRPC gives what it gives in process', async () => {
    const options = await retrieval.as();
    const request = { query: 'apple returns', corpora: ['help'] };
    const events = await collect(retrieval.mesh.grpcClient(RetrievalService).retrieve(request, options));
    const last = events.at(-1)?.event;
    const { fused } = await ask('apple returns', { corpora: ['help'] });
    expect(last?.case === 'fused' && last.value).toEqual(fused);
  });
});

describe('a stage that fails', () => {
  const counted = async (stage: string) => {
    const { values } = await retrieval.mesh.host.metrics.degradationTotal.get();
    return values.find(({ labels }) => labels.stage === stage)?.value ?? 0;
  };

  test.each([
    ['fails', async () => Promise.reject(unavailable('embedding', 'the model is away')), 'the model is away'],
    ['is late', forever, 'no result after 150 ms'],
    ['is late and deaf', deaf, 'no result after 150 ms'],
    ['has a bug', async () => Promise.reject(new TypeError('secret')), 'internal error'],
  ])('a vector leg that %s leaves the keyword leg, and the answer says so', async (_, fault, reason) => {
    const already = await counted('vector_search');
    before.vector = fault;
    const { legs, fused, documentIds } = await retrieval.ask('apple returns', { corpora: ['help'] });
    expect(documentIds[0]).toBe('returns');
    const degradation = { stage: Stage.VECTOR_SEARCH, reason, effect: 'searched without this leg' };
    expect(legs.find(({ leg }) => leg === Leg.VECTOR)).toMatchObject({ hits: [], degradation });
    expect(fused.degradations).toMatchObject([degradation]);
    expect(fused.embeddingModel).toBe('');
    expect(await counted('vector_search')).toBe(already + 1);
  });

  test('that is only late is waited for if the request says so', async () => {
    const slow = (signal: AbortSignal) => sleep(300, signal);
    before.vector = slow;
    retrieval.standIns.beforeRerank = slow;
    const { fused } = await retrieval.ask('apple returns', { corpora: ['help'], waitForStages: true });
    expect(fused.degradations).toEqual([]);
    expect([fused.embeddingModel, fused.rerankModel]).not.toContain('');
  });

  test('an embedding service that is away or late costs only the vector leg', async () => {
    for (const fault of [async () => Promise.reject(unavailable('provider', 'away')), forever]) {
      retrieval.standIns.beforeEmbed = fault;
      const { fused, documentIds } = await retrieval.ask('apple returns', { corpora: ['help'] });
      expect(documentIds[0]).toBe('returns');
      expect(fused.degradations).toMatchObject([{ stage: Stage.VECTOR_SEARCH }]);
    }
  });

  test('a keyword leg that fails leaves the vector leg', async () => {
    before.keyword = async () => Promise.reject(new Error('broken'));
    const { fused, passages } = await retrieval.ask('apple returns', { corpora: ['help'] });
    expect(passages.length).toBeGreaterThan(0);
    expect(fused.degradations).toMatchObject([{ stage: Stage.KEYWORD_SEARCH, reason: 'internal error' }]);
  });

  test('without any leg the call is UNAVAILABLE', async () => {
    before.vector = forever;
    before.keyword = async () => Promise.reject(unavailable('keyword store', 'the disk fails'));
    const error = ConnectError.from(await failureOf(retrieval.ask('apple', { corpora: ['help'] })));
    expect(error.code).toBe(Code.Unavailable);
    expect(error.rawMessage).toContain('the disk fails');
  });

  test('the web leg says that there is none', async () => {
    const { fused, passages } = await retrieval.ask('apple', { corpora: ['help'], legs: [Leg.WEB, Leg.KEYWORD] });
    expect(passages.length).toBeGreaterThan(0);
    expect(fused.degradations).toMatchObject([{ stage: Stage.WEB_SEARCH, reason: 'no web search is configured' }]);
  });

  test.each([
    ['fails', async () => Promise.reject(unavailable('rerank', 'the model is away')), 'the model is away'],
    // The stage's own timer and the deadline of its call end at the same time.
    ['is late', forever, expect.stringMatching(/^(no result after 100 ms|the deadline passed)$/)],
  ])('a reranker that %s leaves the fused order', async (_, fault, reason) => {
    retrieval.standIns.beforeRerank = fault;
    const { fused, passages } = await retrieval.ask('apple returns', { corpora: ['help'] });
    expect(fused.degradations).toMatchObject([{ stage: Stage.RERANK, reason, effect: 'kept the fused order' }]);
    expect(fused.rerankModel).toBe('');
    const scores = passages.map(({ scores }) => scores?.fused as number);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  });

  test('a rerank by another model than the one that was asked is named, and its order holds', async () => {
    const degradation = { stage: Stage.RERANK, reason: 'big failed', effect: 'scored by shared-words' };
    retrieval.standIns.reranked = { fallbackFrom: 'big', degradation };
    const { fused } = await retrieval.ask('apple returns', { corpora: ['help'] });
    expect(fused).toMatchObject({ degradations: [degradation], rerankModel: 'shared-words' });
  });

  test("has no more than its share of the caller's time, so that an answer still comes", async () => {
    before.vector = forever;
    const options = await retrieval.as(undefined, { timeoutMs: 240 });
    const { fused } = await retrieval.ask('apple returns', { corpora: ['help'] }, options);
    const [, waitedMs] = /no result after (\d+) ms/.exec(fused.degradations[0]?.reason ?? '') ?? [];
    expect(Number(waitedMs)).toBeLessThan(150);
  });
});

describe('a caller that leaves', () => {
  test('stops the search and what it waits for', async () => {
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    retrieval.standIns.beforeEmbed = (signal) =>
      forever(signal).catch((error) => {
        resolve();
        throw error;
      });
    for await (const { event } of retrieval.client.retrieve({ query: 'apple' }, await retrieval.as())) {
      expect(event.case).toBe('leg');
      break;
    }
    await stopped;
  });

  test('or runs out of time gets DEADLINE_EXCEEDED or CANCELLED, and nothing is counted as a degradation', async () => {
    before.vector = deaf;
    before.keyword = deaf;
    const controller = new AbortController();
    const { values } = await retrieval.mesh.host.metrics.degradationTotal.get();
    const work = retrieval.ask('apple', {}, await retrieval.as(undefined, { signal: controller.signal }));
    controller.abort();
    expect(ConnectError.from(await failureOf(work)).code).toBe(Code.Canceled);
    const late = retrieval.ask('apple', {}, await retrieval.as(undefined, { timeoutMs: 1 }));
    expect(ConnectError.from(await failureOf(late)).code).toBe(Code.DeadlineExceeded);
    expect((await retrieval.mesh.host.metrics.degradationTotal.get()).values).toEqual(values);
  });
});

test('passages are fetched by chunk id, in the order asked for, as far as the caller may see them', async () => {
  const chunkIds = ['shop#0', 'internal#0', 'none#0', 'returns#0'];
  const idsFor = async (groups: string[]) => {
    const options = await retrieval.as({ ...reader, groups });
    const { passages } = await retrieval.client.getPassages({ chunkIds }, options);
    return passages.map(({ chunkId }) => chunkId);
  };
  expect(await idsFor([])).toEqual(['shop#0', 'returns#0']);
  expect(await idsFor(['staff'])).toEqual(['shop#0', 'internal#0', 'returns#0']);
  const stranger = await retrieval.as({ tenant: 'stranger', groups: ['staff'] });
  expect((await retrieval.client.getPassages({ chunkIds }, stranger)).passages).toEqual([]);
});

test('a passage carries everything that its document said', async () => {
  await retrieval.build('rich', 'build-1', [
    [
      'manual',
      '',
      {
        title: 'Manual',
        url: 'https://example.com/manual',
        chunks: [
          {
            ...toChunk('manual', 0, '电池保修'),
            headingPath: ['保修', '电池'],
            startOffset: 10,
            endOffset: 14,
            ordinal: 3,
            regions: [{ page: 2, left: 72, top: 90.04, right: 300, bottom: 120 }, { page: 3 }],
          },
        ],
      },
    ],
  ]);
  const { passages } = await retrieval.client.getPassages({ chunkIds: ['manual#0'] }, await retrieval.as());
  expect(passages).toMatchObject([
    {
      documentId: 'manual',
      title: 'Manual',
      url: 'https://example.com/manual',
      headingPath: ['保修', '电池'],
      text: '电池保修',
      startOffset: 10,
      endOffset: 14,
      ordinal: 3,
      regions: [{ page: 2, left: 72, top: 90, right: 300, bottom: 120 }, { page: 3 }],
      language: Language.ZH,
      version: 1n,
    },
  ]);
});
