import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { errorInfoOf, rpcError } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { createClient } from '#kit/rpc/client.ts';
import { type EdgeMesh, shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

// An edge whose services are other processes: what its callers see is the same.

let edge: EdgeMesh;
let chat: Client<typeof ChatService>;
const transport = () => createConnectTransport({ baseUrl: edge.url, httpVersion: '2' });
beforeAll(async () => {
  edge = await startEdgeMesh({
    apart: true,
    async *answer(request, context) {
      if (request.question === 'fail') {
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'too much', { retryAfterMs: 1500 });
      }
      yield* shortAnswer(request);
      if (request.question !== 'wait') return;
      await new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));
    },
  });
  chat = createClient(ChatService, transport());
});
afterAll(() => edge[Symbol.asyncDispose]());

test('an answer streams whole, as the caller of the edge', async () => {
  const events = await collect(chat.ask({ question: 'returns?' }, { headers: edge.authorization }));
  expect(events.at(0)?.event.case).toBe('started');
  expect(events.at(-1)?.event.case).toBe('done');
  expect(edge.seen.callers.at(-1)).toMatchObject({ tenant: 'demo', user: 'dev' });
});

test('an error keeps its details, and nothing of the hop behind shows', async () => {
  const error = (await collect(chat.ask({ question: 'fail' }, { headers: edge.authorization })).catch(
    ConnectError.from,
  )) as ConnectError;
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(errorInfoOf(error)).toMatchObject({ reason: 'OVERLOADED', domain: 'ragmesh' });
  expect([...error.metadata.keys()].filter((name) => name.startsWith('grpc-'))).toEqual([]);
  const sse = await fetch(`${edge.url}/v1/chat/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: '{"query":"fail"}',
  });
  expect([sse.status, sse.headers.get('retry-after')]).toEqual([429, '2']);
});

test('headers of the service arrive, once', async () => {
  const response = await fetch(`${edge.url}/ragmesh.chat.v1.ChatService/GetSession`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: '{"sessionId":"s1"}',
  });
  expect(response.headers.get('x-session')).toBe('s1');
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual({ session: { sessionId: 's1', title: 'dev' } });
});

test('a deadline and a caller that leaves reach the service', async () => {
  const late = await collect(chat.ask({ question: 'wait' }, { headers: edge.authorization, timeoutMs: 150 })).catch(
    ConnectError.from,
  );
  expect(late).toMatchObject({ code: Code.DeadlineExceeded });
  const leaving = new AbortController();
  const left = (async () => {
    const options = { headers: edge.authorization, signal: leaving.signal };
    for await (const { event } of chat.ask({ question: 'wait' }, options)) if (event.case === 'done') leaving.abort();
  })().catch(ConnectError.from);
  expect(await left).toMatchObject({ code: Code.Canceled });
  await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
});

test('an upload goes through', async () => {
  const indexer = createClient(IndexerService, transport());
  async function* parts() {
    for (let index = 0; index < 6; index++) {
      yield { part: { case: 'data' as const, value: new Uint8Array(1 << 20) } };
    }
  }
  const { sizeBytes } = await indexer.ingestDocuments(parts(), { headers: edge.authorization });
  expect(sizeBytes).toBe(6n << 20n);
});

test('a service that is not deployed answers UNAVAILABLE with its name, and the others are served', async () => {
  await using partial = await startEdgeMesh({ apart: true, absent: ['evaluation', 'rerank'] });
  const connection = createConnectTransport({ baseUrl: partial.url, httpVersion: '2' });
  const evaluation = createClient(EvaluationService, connection);
  const error = (await evaluation
    .listRuns({}, { headers: partial.authorization })
    .catch(ConnectError.from)) as ConnectError;
  expect([error.code, error.rawMessage]).toEqual([
    Code.Unavailable,
    'the service "evaluation" is not part of this deployment',
  ]);
  const events = await collect(
    createClient(ChatService, connection).ask({ question: 'returns?' }, { headers: partial.authorization }),
  );
  expect(events.at(-1)?.event.case).toBe('done');
  const rerank = await fetch(`${partial.url}/v1/rerank`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...partial.authorization },
    body: '{"model":"lexical","query":"a","documents":["b"]}',
  });
  expect([rerank.status, await rerank.text()]).toEqual([503, expect.stringContaining('\\"rerank\\"')]);
});
