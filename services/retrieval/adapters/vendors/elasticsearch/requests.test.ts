import { createServer, type ServerResponse } from 'node:http';
import type { JsonObject } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toTerm } from '../../../stores/remote/rows.ts';
import type { VectorRow } from '../../../stores/vector-store.ts';
import { anyFilter } from '../../../suites/row-filter.suite.ts';
import { settingsOf } from '../../../suites/store-server.suite.ts';
import { adapter as keywordAdapter } from '../../keyword-store/elasticsearch.ts';
import { adapter as vectorAdapter } from '../../vector-store/elasticsearch.ts';

// The requests to Elasticsearch, one by one, because no test server has `dense_vector`. Their format:
// https://www.elastic.co/docs/api/doc/elasticsearch and, for the queries, .../docs/reference/query-languages/query-dsl.

interface Sent {
  method: string;
  path: string;
  body: unknown;
}

const notAborted = new AbortController().signal;
const space = { model: 'm', dimensions: 2 };
const scope = {
  corpora: [
    { corpusId: 1, version: 3 },
    { corpusId: 2, version: 3 },
  ],
  aclIds: [5, 6],
  filter: undefined,
};
const row: VectorRow = {
  key: 7,
  chunkId: 'd#1',
  documentId: 'd',
  aclId: 5,
  language: 1,
  updatedMs: 1_700_000_000_000,
  attributes: { kind: 'faq' },
  vector: Float32Array.of(1, 0),
};

describe('the requests to Elasticsearch', () => {
  const sent: Sent[] = [];
  let answer: (request: Sent, response: ServerResponse) => void;
  let url = '';
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const lines = text.split('\n').filter((line) => line !== '');
    const isMany = (incoming.url as string).includes('_bulk');
    const body = text === '' ? undefined : isMany ? lines.map((line) => JSON.parse(line)) : JSON.parse(text);
    const request = { method: incoming.method as string, path: incoming.url as string, body };
    sent.push(request);
    answer(request, outgoing);
  });
  const json = (response: ServerResponse, status: number, body: unknown) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' })
      .end(JSON.stringify(body));
  // As small as the API reference allows.
  const succeed = (request: Sent, response: ServerResponse) => {
    const { path } = request;
    if (path.includes('_count')) return json(response, 200, { count: 1, _shards: { total: 1, successful: 1 } });
    if (path.includes('_search')) {
      const fields = { key: [7], chunk_id: ['d#1'], document_id: ['d'] };
      const hit = { _index: 'i', _id: 'x', _score: 1.5, fields, sort: [1.5, 7] };
      return json(response, 200, {
        hits: { total: { value: 10, relation: 'eq' }, hits: [hit] },
        aggregations: { w0: { doc_count: 2 }, w1: { doc_count: 3 } },
      });
    }
    if (path.includes('_bulk')) return json(response, 200, { errors: false, items: [] });
    if (path.includes('_by_query')) return json(response, 200, { timed_out: false, failures: [] });
    return json(response, 200, { acknowledged: true });
  };
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    sent.length = 0;
    answer = succeed;
  });
  const deps = { folder: '', threads: undefined as never };
  const openVectors = (more: { exact_rows?: number } = {}) =>
    vectorAdapter.create(settingsOf(vectorAdapter, { url, ...more }), deps);
  const openKeywords = () => keywordAdapter.create(settingsOf(keywordAdapter, { url }), deps);

  test('vectors are written as they are documented', async () => {
    const store = await openVectors();
    const change = { kind: 'replace', version: 3, documentIds: ['d'], rows: [row] } as const;
    await store.apply('acme', 1, space, change);
    await store.apply('acme', 1, space, change);
    await store.apply('acme', 1, undefined, { kind: 'access', version: 3, documentIds: ['d'], aclId: 9 });
    await store.apply('acme', 1, undefined, { kind: 'retain', oldest: 2, newest: 3 });
    await store.close();
    expect(sent).toMatchSnapshot();
  });

  test('few vectors are compared one by one, many by the graph, both within the conditions', async () => {
    const small = await openVectors();
    const query = { space, vector: Float32Array.of(1, 0), scope, limit: 10 };
    expect(await small.search('acme', query, notAborted)).toEqual([
      { key: 7, chunkId: 'd#1', documentId: 'd', score: 0.5 },
    ]);
    const large = await openVectors({ exact_rows: 0 });
    expect(await large.search('acme', query, notAborted)).toEqual([
      { key: 7, chunkId: 'd#1', documentId: 'd', score: 2 },
    ]);
    await Promise.all([small.close(), large.close()]);
    expect(sent).toMatchSnapshot();
  });

  test('words are written and searched as they are documented', async () => {
    const store = await openKeywords();
    const { vector: _vector, ...rest } = row;
    const rows = [{ ...rest, title: '退货', text: 'Return PPR-9087 within 7天' }];
    await store.apply('acme', 1, { kind: 'replace', version: 3, documentIds: ['d'], rows });
    await store.search('acme', { text: 'return ppr9087', scope, limit: 10 }, notAborted);
    await store.search('acme', { text: '退', scope, limit: 10 }, notAborted);
    await store.close();
    expect(sent).toMatchSnapshot();
  });

  test('no request is without its tenant, whatever is asked', async () => {
    const [vectors, keywords] = await Promise.all([openVectors({ exact_rows: 1 }), openKeywords()]);
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', minLength: 1 }),
        anyFilter,
        fc.string(),
        async (given, filter, text) => {
          const tenant = given.toWellFormed();
          const asked = { ...scope, filter };
          const vector = Float32Array.of(1, 0);
          sent.length = 0;
          await vectors.search(tenant, { space, vector, scope: asked, limit: 5 }, notAborted);
          await keywords.search(tenant, { text, scope: asked, limit: 5 }, notAborted);
          for (const store of [vectors, keywords]) {
            await store.count(tenant, 1, 1, notAborted);
            await store.listKeys(tenant, 1, 0, 1, notAborted);
          }
          await vectors.apply(tenant, 1, undefined, { kind: 'purge', documentIds: [text.toWellFormed()] });
          await keywords.apply(tenant, 1, { kind: 'retain', oldest: 1, newest: 2 });
          expect(sent.length).toBeGreaterThan(6);
          for (const { path, body } of sent) {
            expect(path).toContain(`routing=${toTerm(tenant)}`);
            expect(JSON.stringify(body)).toContain(`"bool":{"filter":[{"term":{"tenant":"${toTerm(tenant)}"}}`);
          }
        },
      ),
      { numRuns: 12 },
    );
    await Promise.all([vectors.close(), keywords.close()]);
  });

  test('what the server refuses has a truthful code', async () => {
    const store = await openVectors();
    const read = async (status: number, body: unknown = {}): Promise<ConnectError> => {
      answer = (_request, response) => json(response, status, body);
      return store.count('acme', 1, 1, notAborted).then(
        () => expect.unreachable(),
        (error: unknown) => error as ConnectError,
      );
    };
    expect((await read(401)).rawMessage).toMatch(/refuses its key/);
    expect((await read(403)).code).toBe(Code.Unavailable);
    expect((await read(429)).code).toBe(Code.ResourceExhausted);
    expect((await read(503)).code).toBe(Code.Unavailable);
    expect((await read(400, { error: { reason: 'the text of a document' } })).code).toBe(Code.Internal);
    expect((await read(400, { error: { reason: 'the text of a document' } })).rawMessage).toBe('internal error');
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    const other = await store.count('acme', 1, 1, notAborted).catch((error: unknown) => error as ConnectError);
    expect(other).toMatchObject({ code: Code.Unavailable });
    await store.close();
  });

  test('a batch of which the server took a part is an error', async () => {
    const store = await openVectors();
    const replies = [
      { status: 429, error: { type: 'es_rejected_execution_exception' } },
      { status: 400, error: { type: 'document_parsing_exception' } },
    ];
    for (const reply of replies) {
      answer = (request, response) =>
        request.path.includes('_bulk')
          ? json(response, 200, { errors: true, items: [{ index: { status: 201 } }, { index: reply }] })
          : succeed(request, response);
      const change = { kind: 'replace', version: 1, documentIds: ['d'], rows: [row, { ...row, key: 8 }] } as const;
      await expect(store.apply('acme', 1, space, change)).rejects.toMatchObject({
        code: reply.status === 429 ? Code.ResourceExhausted : Code.Internal,
      });
    }
    await store.close();
  });

  test('an index that somebody dropped is made again, with our mapping', async () => {
    const store = await openVectors();
    const change = { kind: 'replace', version: 1, documentIds: ['d'], rows: [row] } as const;
    await store.apply('acme', 1, space, change);
    sent.length = 0;
    let isDropped = true;
    answer = (request, response) => {
      if (request.path.startsWith('/_index_template/')) isDropped = false;
      const items = [{ index: { status: 404, error: { type: 'index_not_found_exception' } } }];
      if (request.path.includes('_bulk') && isDropped) json(response, 200, { errors: true, items });
      else succeed(request, response);
    };
    await store.apply('acme', 1, space, change);
    expect(sent.map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`).slice(-4)).toEqual([
      expect.stringMatching(/^POST .*\/_bulk$/),
      expect.stringMatching(/^PUT \/_index_template\//),
      expect.stringMatching(/^PUT \/ragmesh-vectors-[0-9a-f]{32}-1$/),
      expect.stringMatching(/^POST .*\/_bulk$/),
    ]);
    await store.close();
  });

  test('a bad setting stops the start with its path', () => {
    const create = (given: JsonObject) => () =>
      vectorAdapter.create(settingsOf(vectorAdapter, { url, ...given }), deps);
    expect(create({ url: 'nowhere' })).toThrow('retrieval.vector_store.settings.url: must be a URL');
    expect(create({ prefix: 'a-b' })).toThrow('retrieval.vector_store.settings.prefix');
    expect(create({ index_type: 'flat' })).toThrow('index_type: is "flat"; allowed: hnsw, int8_hnsw');
  });
});
