import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '#gen/health/v1/health_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { errorInfoOf, rpcError } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { createClient as createKitClient } from '#kit/rpc/client.ts';
import { createGrpcTransport as createKitTransport, type GrpcTransport } from '#kit/rpc/grpc/client.ts';
import { type EdgeMesh, shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let kitTransport: GrpcTransport;
beforeAll(async () => {
  edge = await startEdgeMesh({
    async *answer(request, context) {
      switch (request.question) {
        case 'fail before':
          throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'too much', { retryAfterMs: 1500 });
        case 'fail after':
          yield { case: 'textDelta', value: { text: 'so' } };
          throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'gone', {
            metadata: { dependency: 'x' },
          });
        case 'bug':
          throw new Error('the password is 1234');
        case 'large':
          for (let index = 0; index < 20; index++) {
            yield { case: 'textDelta', value: { text: 'large '.repeat(5_000) } };
            yield { case: 'stage', value: { stage: 1, status: 2 } };
          }
          return;
        case 'wait':
          yield { case: 'textDelta', value: { text: 'wait' } };
          await new Promise((_, reject) =>
            context.signal.addEventListener('abort', () => reject(context.signal.reason)),
          );
          return;
        default:
          yield* shortAnswer(request);
      }
    },
  });
  kitTransport = createKitTransport({ address: `127.0.0.1:${edge.edge.port}`, methods: ChatService.methods });
});
afterAll(async () => {
  kitTransport.close();
  await edge.mesh.close();
});

const failure = async (work: Promise<unknown>): Promise<ConnectError> => {
  try {
    await work;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('it did not fail');
};

const faces: Record<string, () => Transport> = {
  'Connect over HTTP/2': () => createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }),
  'Connect over HTTP/1.1': () => createConnectTransport({ baseUrl: edge.url, httpVersion: '1.1' }),
  'Connect in JSON': () => createConnectTransport({ baseUrl: edge.url, httpVersion: '1.1', useBinaryFormat: false }),
  'Connect with compression': () =>
    createConnectTransport({ baseUrl: edge.url, httpVersion: '2', acceptCompression: undefined }),
  gRPC: () => createGrpcTransport({ baseUrl: edge.url }),
  'gRPC in JSON': () => createGrpcTransport({ baseUrl: edge.url, useBinaryFormat: false }),
  'gRPC of grpc-js': () => kitTransport,
  'gRPC-Web over HTTP/1.1': () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: '1.1' }),
  'gRPC-Web over HTTP/2': () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: '2' }),
} as Record<string, () => Transport>;

describe.each(Object.keys(faces))('%s', (face) => {
  let chat: Client<typeof ChatService>;
  let transport: Transport;
  beforeAll(() => {
    transport = (faces[face] as () => Transport)();
    chat = createKitClient(ChatService, transport);
  });
  const as = () => ({ headers: edge.authorization });

  test('an answer streams whole and in order, with deltas that are ready together joined', async () => {
    const events = await collect(chat.ask({ question: 'returns?' }, as()));
    expect(events.map(({ event }) => event.case)).toEqual([
      'started',
      'stage',
      'sources',
      'textDelta',
      'citation',
      'usage',
      'done',
    ]);
    expect(events[3]?.event.value).toMatchObject({ text: 'Within 30 days, 退货免费 [1].' });
    expect(edge.seen.questions.at(-1)?.question).toBe('returns?');
    expect(edge.seen.callers.at(-1)).toMatchObject({ tenant: 'demo', user: 'dev', groups: ['staff', 'merchant'] });
  });

  test('messages of every size arrive as they were', async () => {
    const events = await collect(chat.ask({ question: 'large' }, as()));
    const texts = events.flatMap(({ event }) => (event.case === 'textDelta' ? [event.value.text] : []));
    expect(texts).toEqual(new Array(20).fill('large '.repeat(5_000)));
    expect(events.length).toBe(40);
  });

  test('an unary rpc gives its message and the headers of the service', async () => {
    let header: Headers | undefined;
    const { session } = await chat.getSession(
      { sessionId: 's7' },
      {
        ...as(),
        onHeader: (received) => {
          header = received;
        },
      },
    );
    expect(session).toMatchObject({ sessionId: 's7', title: 'dev' });
    expect(header?.get('x-session')).toBe('s7');
  });

  test('an error keeps its code, reason and details, before the first message and after it', async () => {
    const before = await failure(collect(chat.ask({ question: 'fail before' }, as())));
    expect(before.code).toBe(Code.ResourceExhausted);
    expect(errorInfoOf(before)).toMatchObject({ reason: 'OVERLOADED', domain: 'ragmesh' });
    const texts: string[] = [];
    const after = await failure(
      (async () => {
        for await (const { event } of chat.ask({ question: 'fail after' }, as())) texts.push(String(event.case));
      })(),
    );
    expect(texts).toEqual(['textDelta']);
    expect(after.code).toBe(Code.Unavailable);
    expect(errorInfoOf(after)?.metadata).toEqual({ dependency: 'x' });
  });

  test('nothing of a bug goes out', async () => {
    const error = await failure(collect(chat.ask({ question: 'bug' }, as())));
    expect(error.code).toBe(Code.Internal);
    expect(error.message).not.toContain('1234');
  });

  test('a message that breaks the contract is refused with its field', async () => {
    const error = await failure(collect(chat.ask({ question: '' }, as())));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toContain('question');
  });

  test('the time that the caller has left goes with the call, and ends it', async () => {
    await collect(chat.ask({ question: 'returns?' }, { ...as(), timeoutMs: 5_000 }));
    expect(edge.seen.timeoutsMs.at(-1)).toBeLessThanOrEqual(5_000);
    expect(edge.seen.timeoutsMs.at(-1)).toBeGreaterThan(1_000);
    const error = await failure(collect(chat.ask({ question: 'wait' }, { ...as(), timeoutMs: 100 })));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test('a caller that leaves in the middle ends the call behind', async () => {
    const aborted = edge.seen.abortedCount;
    const leaving = new AbortController();
    const events = chat.ask({ question: 'wait' }, { ...as(), signal: leaving.signal });
    const error = await failure(
      (async () => {
        for await (const _ of events) leaving.abort();
      })(),
    );
    expect(error.code).toBe(Code.Canceled);
    await expect.poll(() => edge.seen.abortedCount, { interval: 5 }).toBeGreaterThan(aborted);
    await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
  });

  test('no credentials, or unknown ones, are refused before anything is read', async () => {
    const missing = await failure(collect(chat.ask({ question: 'x' })));
    expect(missing.code).toBe(Code.Unauthenticated);
    expect(errorInfoOf(missing)?.reason).toBe('CREDENTIALS_MISSING');
    const unknown = await failure(chat.getSession({ sessionId: 's' }, { headers: { 'x-api-key': 'nobody' } }));
    expect(errorInfoOf(unknown)?.reason).toBe('CREDENTIALS_INVALID');
  });

  test('internal methods, and contracts that are not public, are not served', async () => {
    const llm = createClient(LLMGatewayService, transport);
    const internal = await failure(collect(llm.generate({ messages: [{ role: 2, text: 'x' }] }, as())));
    expect(internal.code).toBe(Code.Unimplemented);
    const rerank = createClient(RerankService, transport);
    const foreign = await failure(collect(rerank.rerank({ query: 'x' }, as())));
    expect(foreign.code).toBe(Code.Unimplemented);
    const writer = createClient(IndexWriterService, transport);
    const write = await failure(writer.purgeDocuments({ corpus: 'help', documentIds: ['d'] }, as()));
    // The edge has no route to it: gRPC says UNIMPLEMENTED, Connect NOT_FOUND.
    expect([Code.Unimplemented, Code.NotFound]).toContain(write.code);
  });

  test('an upload is passed on message by message', async () => {
    const indexer = createKitClient(IndexerService, transport);
    async function* parts() {
      yield { part: { case: 'start' as const, value: { corpus: 'help' } } };
      yield { part: { case: 'file' as const, value: { path: 'a.txt' } } };
      for (let index = 0; index < 8; index++) {
        yield { part: { case: 'data' as const, value: new Uint8Array(1 << 20) } };
      }
    }
    const { sizeBytes } = await indexer.ingestDocuments(parts(), as());
    expect(sizeBytes).toBe(8n << 20n);
  });
});

describe('for gRPC tools', () => {
  test('health answers without credentials, by contract and as a whole', async () => {
    const health = createClient(Health, kitTransport);
    expect((await health.check({})).status).toBe(Status.SERVING);
    expect((await health.check({ service: 'ragmesh.chat.v1.ChatService' })).status).toBe(Status.SERVING);
    expect((await failure(health.check({ service: 'nobody' }))).code).toBe(Code.NotFound);
  });

  test('reflection lists the contracts, in both versions', async () => {
    async function* question() {
      yield { messageRequest: { case: 'listServices' as const, value: '' } };
    }
    for (const contract of [ServerReflection, ServerReflectionAlpha]) {
      const client = createClient(contract as typeof ServerReflection, kitTransport);
      const [answer] = await collect(client.serverReflectionInfo(question()));
      const response = answer?.messageResponse;
      const names = response?.case === 'listServicesResponse' ? response.value.service.map(({ name }) => name) : [];
      expect(names).toContain('ragmesh.chat.v1.ChatService');
      expect(names).toContain('grpc.health.v1.Health');
    }
  });

  test('reflection knows the details of errors', async () => {
    const details = ['ErrorInfo', 'BadRequest', 'RetryInfo', 'QuotaFailure'].map((name) => `google.rpc.${name}`);
    async function* question() {
      for (const value of details) yield { messageRequest: { case: 'fileContainingSymbol' as const, value } };
    }
    const answers = await collect(createClient(ServerReflection, kitTransport).serverReflectionInfo(question()));
    expect(answers.map(({ messageResponse }) => messageResponse.case)).toEqual(
      details.map(() => 'fileDescriptorResponse'),
    );
  });
});

describe('for curl', () => {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${edge.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...edge.authorization, ...headers },
      body: JSON.stringify(body),
    });

  test('an unary rpc is plain JSON', async () => {
    const response = await post('/ragmesh.chat.v1.ChatService/GetSession', { sessionId: 's1' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ session: { sessionId: 's1', title: 'dev' } });
  });

  test('a read can be a GET', async () => {
    const query = new URLSearchParams({
      connect: 'v1',
      encoding: 'json',
      message: JSON.stringify({ sessionId: 's2' }),
    });
    const response = await fetch(`${edge.url}/ragmesh.chat.v1.ChatService/GetSession?${query}`, {
      headers: edge.authorization,
    });
    expect(await response.json()).toMatchObject({ session: { sessionId: 's2' } });
  });

  test('an error is JSON with its HTTP status', async () => {
    const response = await post('/ragmesh.chat.v1.ChatService/GetSession', { sessionId: '' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_argument' });
    const internal = await post('/ragmesh.cache.v1.CacheService/Fill', {});
    expect([415, 501]).toContain(internal.status);
  });

  test('a path that is not served is 404 with JSON, and the wrong verb 405', async () => {
    const unknown = await post('/nothing/here', {});
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('/nothing/here'),
    });
    const verb = await fetch(`${edge.url}/v1/chat/stream`);
    expect(verb.status).toBe(405);
    expect(verb.headers.get('allow')).toBe('POST');
    expect((await fetch(`${edge.url}/healthz`)).status).toBe(200);
  });
});
