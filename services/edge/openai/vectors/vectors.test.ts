import { Code } from '@connectrpc/connect';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type EmbedRequest, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type RerankRequest, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { toVector } from '#kit/base/vectors.ts';
import { type EdgeMesh, startEdgeMesh } from '../../testing/stand-ins.ts';

// The routes that give numbers: embeddings and rerank.

let edge: EdgeMesh;
let client: OpenAI;
const embedded: EmbedRequest[] = [];
const reranked: RerankRequest[] = [];
const vectorOf = (input: string) => (input === '…' ? new Float32Array(3) : new Float32Array([input.length, -0.1, 3.5]));
beforeAll(async () => {
  edge = await startEdgeMesh({
    embedding: {
      listModels: () => ({ models: [{ name: 'small', dimensions: 3, adapter: 'hashing' }] }),
      async *embed(request) {
        embedded.push(request);
        if (request.model !== '' && request.model !== 'small')
          throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, 'no such model');
        const batchSize = 2;
        for (let first = 0; first < request.inputs.length; first += batchSize) {
          yield {
            firstIndex: first,
            vectors: request.inputs.slice(first, first + batchSize).map((input) => toVector(vectorOf(input))),
            model: 'small',
            usage: { promptTokens: 5n, costMicros: 2n, currency: 'EUR' },
          };
        }
      },
    },
    rerank: {
      async *rerank(request) {
        reranked.push(request);
        const scores = request.candidates.map(({ text }, index) => ({ index, score: text.length / 10 }));
        if (request.query === 'lost') scores.pop();
        for (const passage of scores.reverse())
          yield { event: { case: 'scored' as const, value: { passages: [passage] } } };
        yield {
          event: {
            case: 'done' as const,
            value: { model: 'lexical', scale: ScoreScale.UNIT, usage: { promptTokens: 12n } },
          },
        };
      },
    },
  });
  client = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

const post = async (path: string, body: object) => {
  const response = await fetch(`${edge.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

describe('embeddings', () => {
  test('take ids of tokens, as LangChain sends them, of many texts', async () => {
    const texts = ['Within 30 days.', '退货政策，🙂', ' a'];
    const ids = texts.map((text) => encode(text));
    const several = await client.embeddings.create({ model: 'small', input: ids, encoding_format: 'float' });
    expect(several.data.map(({ embedding }) => embedding)).toEqual(texts.map((text) => [...vectorOf(text)]));
    const one = await client.embeddings.create({ model: 'small', input: encode('one') });
    expect(one.data).toHaveLength(1);
    // More values than the body of any other route may have.
    const many = Array.from({ length: 40 }, () => encode('word '.repeat(1000)));
    expect((await client.embeddings.create({ model: 'small', input: many })).data).toHaveLength(40);
  });

  test('are the same numbers in either encoding, in the order of the texts', async () => {
    const input = ['a', '退货', 'ccc', 'dddd', 'eeeee'];
    const asNumbers = await client.embeddings.create({ model: 'small', input, encoding_format: 'float' });
    // The client asks for base64 by itself, and reads it.
    const asBytes = await client.embeddings.create({ model: 'small', input });
    expect(asNumbers).toMatchObject({
      object: 'list',
      model: 'small',
      usage: { prompt_tokens: 15, total_tokens: 15 },
      ragmesh: { cost_micros: 6, currency: 'EUR' },
    });
    expect(asNumbers.data.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(asNumbers.data.map(({ embedding }) => embedding)).toEqual(input.map((text) => [...vectorOf(text)]));
    expect(asBytes.data.map(({ embedding }) => embedding)).toEqual(asNumbers.data.map(({ embedding }) => embedding));
  });

  test('of a text without words have a direction, because a cosine with zeros is not defined, and a warning', async () => {
    const { body } = await post('/v1/embeddings', { model: 'small', input: ['a', '…', 'b', '…'] });
    const data = body.data as { embedding: number[] }[];
    expect(data.map(({ embedding }) => Math.hypot(...embedding) > 0)).toEqual([true, true, true, true]);
    expect(data[1]?.embedding).toEqual(data[3]?.embedding);
    expect(Math.hypot(...(data[1]?.embedding ?? []))).toBeCloseTo(1);
    expect(body.warnings).toEqual([expect.stringMatching(/^input 1, 3: no words/)]);
  });

  test('have their models in the list, with what these are for', async () => {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model);
    expect(listed).toContainEqual(
      expect.objectContaining({ id: 'small', owned_by: 'hashing', type: 'embedding', dimensions: 3 }),
    );
    expect(listed).toContainEqual(expect.objectContaining({ id: 'ragmesh', type: 'chat' }));
  });

  test('take one text, a purpose, and the name of the default model', async () => {
    const { status, body } = await post('/v1/embeddings', { model: 'ragmesh', input: 'one', input_type: 'query' });
    expect([status, body]).toMatchObject([200, { data: [{ index: 0, embedding: [3, expect.closeTo(-0.1), 3.5] }] }]);
    expect(embedded.at(-1)).toMatchObject({ model: '', inputs: ['one'], purpose: Purpose.QUERY });
    expect((await post('/v1/embeddings', { input: 'one', dimensions: 3 })).status).toBe(200);
  });

  test('refuse what they cannot do, and name the parameter', async () => {
    const cases: [object, string][] = [
      [{}, 'input'],
      [{ input: [] }, 'input'],
      [{ input: '' }, 'input[0]'],
      [{ input: [1, -2, 3] }, 'input[0][1]'],
      [{ input: [[1, 2], []] }, 'input[1]'],
      [{ input: [[1, 900_000]] }, 'input[0]'],
      [{ input: [[1], 'a'] }, 'input[1]'],
      [{ input: ['a', 7] }, 'input[1]'],
      [{ input: 'a', dimensions: 2 }, 'dimensions'],
      [{ input: 'a', encoding_format: 'int8' }, 'encoding_format'],
      [{ input: 'a', flavour: 1 }, 'flavour'],
      [{ input: Array.from({ length: 2049 }, () => 'a') }, 'input'],
      // Few texts, but more than 300,000 tokens.
      [{ input: Array.from({ length: 4 }, () => '退货政策'.repeat(25_000)) }, 'input'],
    ];
    const embeddedCount = embedded.length;
    for (const [body, param] of cases) {
      const reply = await post('/v1/embeddings', body);
      expect(reply, JSON.stringify(body)).toMatchObject({
        status: 400,
        body: { error: { type: 'invalid_request_error', param } },
      });
    }
    expect(embedded.length).toBe(embeddedCount);
    const unknown = await post('/v1/embeddings', { model: 'huge', input: 'a' });
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'model_not_found', param: 'model' } } });
  });
});

describe('rerank', () => {
  test('gives the best documents first, with what they score', async () => {
    const documents = ['aa', { text: 'dddd', title: 'D' }, 'ccc', 'bbb'];
    const reply = await post('/v1/rerank', {
      model: 'ragmesh',
      query: 'q',
      documents,
      top_n: 3,
      return_documents: true,
    });
    expect(reply).toMatchObject({
      status: 200,
      body: {
        id: expect.stringMatching(/^rerank-/),
        model: 'lexical',
        results: [
          { index: 1, relevance_score: 0.4, document: { text: 'dddd' } },
          { index: 2, relevance_score: 0.3, document: { text: 'ccc' } },
          { index: 3, relevance_score: 0.3, document: { text: 'bbb' } },
        ],
        usage: { prompt_tokens: 12, total_tokens: 12 },
        ragmesh: { score_scale: 'unit' },
      },
    });
    expect(reranked.at(-1)).toMatchObject({ model: '', query: 'q', candidates: [{}, { title: 'D' }, {}, {}] });
    const cohere = await post('/v2/rerank', { query: 'q', documents, max_tokens_per_doc: 100 });
    expect(cohere.body).toMatchObject({ results: [{}, {}, {}, {}], meta: { api_version: { version: '2' } } });
    const bare = await post('/v1/rerank', { query: 'q', documents });
    expect(bare.body.results).toHaveLength(4);
    expect(JSON.stringify(bare.body.results)).not.toContain('document');
  });

  test('refuses what is wrong, and never guesses a score', async () => {
    const cases: [object, string][] = [
      [{ documents: ['a'] }, 'query'],
      [{ query: 'q' }, 'documents'],
      [{ query: 'q', documents: [] }, 'documents'],
      [{ query: 'q', documents: [{ title: 'x' }] }, 'documents[0].text'],
      [{ query: 'q', documents: [7] }, 'documents[0]'],
      [{ query: 'q', documents: ['a'], top_n: 0 }, 'top_n'],
      [{ query: 'q', documents: ['a'], rank_fields: ['x'] }, 'rank_fields'],
      [{ query: 'q', documents: Array.from({ length: 4 }, () => '退货政策'.repeat(25_000)) }, 'documents'],
    ];
    for (const [body, param] of cases) {
      expect(await post('/v1/rerank', body), param).toMatchObject({ status: 400, body: { error: { param } } });
    }
    expect(await post('/v1/rerank', { query: 'lost', documents: ['a', 'b'] })).toMatchObject({ status: 500 });
  });
});

test('their rpcs stay inside the mesh', async () => {
  for (const path of ['/ragmesh.embedding.v1.EmbeddingService/Embed', '/ragmesh.rerank.v1.RerankService/Rerank']) {
    expect((await post(path, {})).status).toBe(404);
  }
});
