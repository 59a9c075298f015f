import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EmbeddingService, type EmbedRequest } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type RerankRequest, RerankService, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { toVector } from '#kit/base/vectors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { hashKey } from '../credentials/api-keys.ts';
import { createScriptedGateway } from '../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

// Who may call models, on every face.

let edge: EdgeMesh;
const { impl, asked } = createScriptedGateway();
const embedded: EmbedRequest[] = [];
const reranked: RerankRequest[] = [];
const key = (id: string, roles: Role[], models: string[] = []) => ({
  id,
  sha256: hashKey(`${id}-key`),
  tenant: 'acme',
  roles,
  models,
});
beforeAll(async () => {
  edge = await startEdgeMesh({
    llm: impl,
    embedding: {
      listModels: () => ({ models: [{ name: 'small', dimensions: 1 }] }),
      async *embed(request) {
        embedded.push(request);
        yield { vectors: request.inputs.map(() => toVector(new Float32Array([1]))), model: 'small' };
      },
    },
    rerank: {
      async *rerank(request) {
        reranked.push(request);
        const passages = request.candidates.map((_, index) => ({ index, score: 1 }));
        yield { event: { case: 'scored' as const, value: { passages } } };
        yield { event: { case: 'done' as const, value: { model: 'lexical', scale: ScoreScale.UNIT } } };
      },
    },
    config: {
      edge: {
        apiKeys: [
          key('reader', []),
          key('operator', [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR]),
          key('model-user', [Role.READER, Role.MODEL_USER]),
          key('held', [Role.READER, Role.MODEL_USER], ['gpt-5', 'small']),
          key('held-elsewhere', [Role.READER, Role.MODEL_USER], ['other']),
        ],
      },
    },
  });
});
afterAll(() => edge.mesh.close());

const headers = (id: string) => ({ authorization: `Bearer ${id}-key` });
const send = async (id: string, path: string, body?: object) => {
  const response = await fetch(`${edge.url}${path}`, {
    headers: { 'content-type': 'application/json', ...headers(id) },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
};
const complete = (id: string, model: string, stream = false) =>
  send(id, '/v1/chat/completions', { model, stream, messages: [{ role: 'user', content: 'hello' }] });
const listed = async (id: string) => {
  const { text } = await send(id, '/v1/models');
  return (JSON.parse(text) as { data: { id: string }[] }).data.map((model) => model.id);
};
const calls = () => asked.length + embedded.length + reranked.length;
const everyName = /gpt-5|extractive|small|lexical/;

describe('a caller without the role "model_user"', () => {
  test.each(['reader', 'operator'])(
    'is refused raw models, embeddings and rerank, whatever the name: %s',
    async (id) => {
      const before = calls();
      const questionCount = edge.seen.questions.length;
      const replies = [
        await complete(id, 'gpt-5'),
        await complete(id, 'gpt-5', true),
        await complete(id, 'no-such-model'),
        await complete(id, 'ragmesh/gpt-5'),
        await complete(id, 'extractive'),
        await send(id, '/v1/embeddings', { input: 'a' }),
        await send(id, '/v1/embeddings', { model: 'small', input: ['a'] }),
        await send(id, '/v1/rerank', { query: 'q', documents: ['a'] }),
      ];
      const words = new Set(
        replies.map(({ text }) => (JSON.parse(text) as { error: { message: string } }).error.message),
      );
      for (const { status, text } of replies) {
        expect(status).toBe(403);
        expect(JSON.parse(text)).toMatchObject({ error: { type: 'permission_error', code: 'role_missing' } });
        expect(text).not.toMatch(everyName);
      }
      // The same words for every name: they do not show which models there are.
      expect([...words]).toEqual([expect.stringContaining('needs the role "model_user"')]);
      expect(calls()).toBe(before);
      expect(edge.seen.questions.length).toBe(questionCount);
    },
  );

  test('asks documents by every face that answers them', async () => {
    for (const model of ['ragmesh', '']) expect((await complete('reader', model)).status).toBe(200);
    expect((await complete('reader', 'ragmesh', true)).text).toContain('[DONE]');
    expect((await send('reader', '/v1/chat/stream', { query: 'q' })).text).toContain('event: done');
    expect(edge.seen.questions.at(-1)).toMatchObject({ model: '' });
  });

  test('sees the model that answers from documents, and no other', async () => {
    expect(await listed('reader')).toEqual(['ragmesh']);
    expect((await send('reader', '/v1/models/ragmesh')).status).toBe(200);
    for (const name of ['gpt-5', 'no-such-model']) {
      const { status, text } = await send('reader', `/v1/models/${name}`);
      expect(status).toBe(404);
      expect(text.replaceAll(name, '')).not.toMatch(everyName);
    }
  });
});

const transports = {
  Connect: () => createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }),
  'Connect in JSON over HTTP/1.1': () =>
    createConnectTransport({ baseUrl: edge.url, httpVersion: '1.1', useBinaryFormat: false }),
  'gRPC-Web': () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: '1.1' }),
  gRPC: () => createGrpcTransport({ baseUrl: edge.url }),
};

describe.each(Object.entries(transports))('over %s', (_name, transport) => {
  const failure = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => expect.fail('it was served'),
      (thrown: unknown) => ConnectError.from(thrown),
    );
    return { code: error.code, reason: errorInfoOf(error)?.reason, message: error.rawMessage };
  };
  const events = async (id: string, model: string) => {
    const cases: (string | undefined)[] = [];
    for await (const { event } of createClient(ChatService, transport()).ask(
      { question: 'q', model },
      { headers: headers(id) },
    )) {
      cases.push(event.case);
    }
    return cases;
  };

  test('a reader asks the default model, and may not name one', async () => {
    expect((await events('reader', '')).at(-1)).toBe('done');
    const before = edge.seen.questions.length;
    expect(await failure(events('reader', 'gpt-5'))).toMatchObject({
      code: Code.PermissionDenied,
      reason: 'ROLE_MISSING',
    });
    expect(await failure(events('held', 'extractive'))).toMatchObject({
      code: Code.NotFound,
      reason: 'MODEL_UNKNOWN',
    });
    expect(edge.seen.questions.length).toBe(before);
    expect((await events('held', 'gpt-5')).at(-1)).toBe('done');
    expect((await events('model-user', 'extractive')).at(-1)).toBe('done');
  });

  test('the models are listed as far as the caller may use them', async () => {
    const client = createClient(LLMGatewayService, transport());
    const names = async (id: string) =>
      (await client.listModels({}, { headers: headers(id) })).models.map(({ name }) => name);
    expect(await names('reader')).toEqual([]);
    expect(await names('held')).toEqual(['gpt-5']);
    expect(await names('model-user')).toEqual(['gpt-5', 'extractive']);
  });

  test('no rpc that calls a model is served, for any role', async () => {
    const before = calls();
    for (const id of ['reader', 'model-user']) {
      const options = { headers: headers(id) };
      const drain = async (messages: AsyncIterable<unknown>) => {
        for await (const message of messages) void message;
      };
      const works = [
        () => drain(createClient(LLMGatewayService, transport()).generate({ model: 'gpt-5' }, options)),
        () => drain(createClient(EmbeddingService, transport()).embed({ inputs: ['a'] }, options)),
        () => drain(createClient(RerankService, transport()).rerank({ query: 'q' }, options)),
      ];
      for (const work of works) expect((await failure(work())).code).toBe(Code.Unimplemented);
    }
    expect(calls()).toBe(before);
  });
});

describe('a key with the role "model_user"', () => {
  test('calls models, embeddings and rerank', async () => {
    expect((await complete('model-user', 'gpt-5')).status).toBe(200);
    expect((await complete('model-user', 'ragmesh/gpt-5')).status).toBe(200);
    expect((await send('model-user', '/v1/embeddings', { input: 'a' })).status).toBe(200);
    expect((await send('model-user', '/v1/rerank', { query: 'q', documents: ['a'] })).status).toBe(200);
    expect(await listed('model-user')).toEqual(['ragmesh', 'gpt-5', 'extractive', 'ragmesh/gpt-5', 'small']);
  });

  test('that is held to some models may name those, and the others do not exist for it', async () => {
    expect((await complete('held', 'gpt-5')).status).toBe(200);
    expect((await complete('held', 'ragmesh')).status).toBe(200);
    expect((await send('held', '/v1/embeddings', { model: 'small', input: 'a' })).status).toBe(200);
    expect(await listed('held')).toEqual(['ragmesh', 'gpt-5', 'ragmesh/gpt-5', 'small']);
    expect(await listed('held-elsewhere')).toEqual(['ragmesh']);
    const before = calls();
    const refusals = [
      await complete('held-elsewhere', 'gpt-5'),
      await complete('held-elsewhere', 'no-such'),
      await complete('held-elsewhere', 'ragmesh/gpt-5'),
      await send('held-elsewhere', '/v1/embeddings', { model: 'small', input: 'a' }),
      await send('held-elsewhere', '/v1/rerank', { model: 'lexical', query: 'q', documents: ['a'] }),
    ];
    for (const { status, text } of refusals) {
      expect(status).toBe(404);
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'model_not_found', param: 'model' } });
    }
    const unnamed = await send('held', '/v1/embeddings', { input: 'a' });
    expect([unnamed.status, JSON.parse(unnamed.text)]).toMatchObject([400, { error: { param: 'model' } }]);
    expect(calls()).toBe(before);
  });
});

test('services of the mesh still call models on behalf of a reader', async () => {
  const options = await edge.mesh.as(testPrincipal({ roles: [Role.READER] }));
  const events = edge.mesh
    .client(LLMGatewayService)
    .generate({ model: 'gpt-5', messages: [{ role: 1, text: 'hello' }] }, options);
  const cases: (string | undefined)[] = [];
  for await (const { event } of events) cases.push(event.case);
  expect(cases.at(-1)).toBe('done');
});
