import { request as httpRequest } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { envelop } from '#kit/rpc/connect/wire.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

// What a request may cost before anything is known about it.

const health = '/grpc.health.v1.Health/Check';
const session = '/ragmesh.chat.v1.ChatService/GetSession';
const ask = '/ragmesh.chat.v1.ChatService/Ask';
const retrieve = '/ragmesh.retrieval.v1.RetrievalService/Retrieve';
const ingest = '/ragmesh.indexer.v1.IndexerService/IngestDocuments';

const deep = (levels: number) => Buffer.from(`{"x":${'['.repeat(levels)}${']'.repeat(levels)}}`);
const flat = (values: number) => Buffer.from(`{"x":[${'0,'.repeat(values - 1)}0]}`);
/** Fields of number 2047, which no contract has, three bytes each. */
const unknown = (count: number) => Buffer.alloc(count * 3, Buffer.from([0xf8, 0x7f, 0x00]));

let edge: EdgeMesh;
beforeAll(async () => {
  edge = await startEdgeMesh();
});
afterAll(() => edge.mesh.close());

interface Sent {
  status: number | undefined;
  body: string;
}

/** Sends a request; without a body, only its headers leave, which announce 1,000 bytes. */
function send(path: string, body: Buffer | undefined, headers: Record<string, string>): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(body?.length ?? 1000) };
    const request = httpRequest(`${edge.url}${path}`, { method: 'POST', headers: { ...length, ...headers } });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
      if (body === undefined) response.once('end', () => request.destroy());
    });
    if (body === undefined) request.flushHeaders();
    else request.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const proto = { 'content-type': 'application/proto' };
const streamJson = { 'content-type': 'application/connect+json' };
const streamProto = { 'content-type': 'application/connect+proto' };
const grpcWeb = { 'content-type': 'application/grpc-web+proto' };
const gzip = { 'content-encoding': 'gzip' };
const streamGzip = { 'connect-content-encoding': 'gzip' };
const grpcGzip = { 'grpc-encoding': 'gzip' };

describe('a request that would be expensive to parse', () => {
  const parsedLengths: number[] = [];
  const parse = JSON.parse;
  beforeAll(() => {
    vi.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
      parsedLengths.push(String(text).length);
      return parse(text, reviver);
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
  });

  const bomb = gzipSync(deep(2_000_000), { level: 9 });
  const flatBomb = gzipSync(flat(2_000_000), { level: 9 });
  const fieldBomb = gzipSync(unknown(1_300_000), { level: 9 });
  const brotliBomb = brotliCompressSync(Buffer.alloc(4_000_000, 0x5b));
  const tooLarge = /TOO_LARGE|too_large|larger than|grpc-status: 8/;
  const tooMany = /more than \d+ (values|fields)|grpc-status: 3/;
  const tooDeep = /deeper than 64|grpc-status: 3/;

  test.each<[string, string, Buffer, Record<string, string>, RegExp]>([
    ['health, deep and compressed', health, bomb, { ...json, ...gzip }, tooLarge],
    ['a listing, deep and compressed', session, bomb, { ...json, ...gzip }, tooLarge],
    ['a listing, brotli', session, brotliBomb, { ...json, 'content-encoding': 'br' }, tooLarge],
    ['a listing, deep', session, deep(30_000), json, tooDeep],
    ['a listing, many values', session, flat(20_000), json, tooMany],
    ['a listing, larger than its method needs', session, flat(1_000_000), json, tooLarge],
    ['a listing, unknown fields', session, unknown(20_000), proto, tooMany],
    ['a plain stream, deep', ask, envelop(0, deep(1_000_000)), streamJson, tooDeep],
    ['a plain stream, many values', ask, envelop(0, flat(1_000_000)), streamJson, tooMany],
    ['a plain stream, unknown fields', ask, envelop(0, unknown(1_000_000)), streamProto, tooMany],
    ['a stream, deep and compressed', ask, envelop(1, bomb), { ...streamJson, ...streamGzip }, tooLarge],
    ['a stream, flat and compressed', ask, envelop(1, flatBomb), { ...streamJson, ...streamGzip }, tooLarge],
    ['a stream, fields and compressed', retrieve, envelop(1, fieldBomb), { ...streamProto, ...streamGzip }, tooLarge],
    ['gRPC-Web, unknown fields', ask, envelop(0, unknown(1_000_000)), grpcWeb, tooMany],
    ['gRPC-Web, fields and compressed', ask, envelop(1, fieldBomb), { ...grpcWeb, ...grpcGzip }, tooLarge],
    ['an upload, deep', ingest, envelop(0, deep(1_000_000)), streamJson, tooDeep],
    ['an upload, deep and compressed', ingest, envelop(1, bomb), { ...streamJson, ...streamGzip }, tooLarge],
    ['server-sent events, deep', '/v1/chat/stream', deep(30_000), json, tooDeep],
    ['completions, deep', '/v1/chat/completions', deep(1_000_000), json, tooDeep],
    ['completions, many values', '/v1/chat/completions', flat(1_000_000), json, tooMany],
    ['embeddings, many values', '/v1/embeddings', flat(1_000_000), json, tooMany],
    ['rerank, deep', '/v1/rerank', deep(1_000_000), json, tooDeep],
  ])('is refused before it is parsed: %s', async (_, path, body, headers, why) => {
    parsedLengths.length = 0;
    const reply = await send(path, body, { ...headers, ...edge.authorization });
    expect(reply.status).not.toBe(500);
    expect(reply.body).toMatch(why);
    // Nothing of the size of these bodies was parsed.
    expect(Math.max(0, ...parsedLengths)).toBeLessThan(10_000);
  });

  test.each<[string, string, Buffer, RegExp]>([
    ['deep', 'json', deep(3_000), tooDeep],
    ['deep and compressed', 'json&compression=gzip', bomb, tooLarge],
    ['unknown fields', 'proto&compression=gzip', gzipSync(unknown(60_000)), tooLarge],
    ['not a message', 'proto', Buffer.from([0xff]), /invalid_argument/],
    ['not JSON', 'json', Buffer.from('{"x'), /invalid_argument/],
  ])('is refused in an address too: %s', async (_, encoding, message, why) => {
    const query = `connect=v1&base64=1&encoding=${encoding}&message=${message.toString('base64url')}`;
    const reply = await fetch(`${edge.url}${session}?${query}`, { headers: edge.authorization });
    expect(reply.status).toBeOneOf([400, 429]);
    expect(await reply.text()).toMatch(why);
  });

  test('an address that is not base64 is refused, and one without it is taken', async () => {
    const get = (query: string) =>
      fetch(`${edge.url}${session}?connect=v1&encoding=json&${query}`, { headers: edge.authorization });
    expect((await get('base64=1&message=%C3%A9')).status).toBe(400);
    expect((await get(`message=${encodeURIComponent('{"sessionId":"s9"}')}`)).status).toBe(200);
  });

  test('a message that is compressed well, and within its size, is taken', async () => {
    const question = 'x'.repeat(4096);
    const body = envelop(1, gzipSync(JSON.stringify({ question })));
    expect((await send(ask, body, { ...streamJson, ...streamGzip, ...edge.authorization })).body).toContain('退货免费');
    const small = gzipSync('{"sessionId":"s9"}');
    expect(await send(session, small, { ...json, ...gzip, ...edge.authorization })).toMatchObject({ status: 200 });
  });

  test('a history as long as the contract allows is taken by every protocol', async () => {
    const turn = { question: 'What about '.repeat(300), answer: '退货 [1]. '.repeat(500) };
    const request = { question: 'And now?', history: Array.from({ length: 100 }, () => turn) };
    for (const useBinaryFormat of [true, false]) {
      const options = { baseUrl: edge.url, httpVersion: '2', useBinaryFormat } as const;
      for (const transport of [
        createConnectTransport(options),
        createGrpcTransport(options),
        createGrpcWebTransport(options),
      ]) {
        const events = await collect(
          createClient(ChatService, transport).ask(request, { headers: edge.authorization }),
        );
        expect(events.at(-1)?.event.case).toBe('done');
        expect(edge.seen.questions.at(-1)?.history).toHaveLength(100);
      }
    }
  });
});

describe('a message that is not valid', () => {
  test.each<[string, number[]]>([
    ['an impossible field number', [0x00, 0x01]],
    ['a length beyond its end', [0x0a, 0x7f, 0x61]],
    ['a group', [0x0b, 0x0c]],
    ['a text that is not UTF-8', [0x0a, 0x01, 0xff]],
    ['another type than the contract says', [0x08, 0x01]],
    ['a number without end', [0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])('is INVALID_ARGUMENT, not a failure of the server: %s', async (_, bytes) => {
    const body = Buffer.from(bytes);
    const unary = await send(session, body, { ...proto, ...edge.authorization });
    expect(unary).toMatchObject({ status: 400, body: expect.stringContaining('invalid_argument') });
    for (const headers of [streamProto, grpcWeb]) {
      const streamed = await send(ask, envelop(0, body), { ...headers, ...edge.authorization });
      expect(streamed.body).toMatch(/invalid_argument|grpc-status: 3/);
    }
    const upload = await send(ingest, envelop(0, body), { ...streamProto, ...edge.authorization });
    expect(upload.body).toContain('invalid_argument');
  });

  test('damaged compression is INVALID_ARGUMENT', async () => {
    const whole = gzipSync('{"sessionId":"s1"}');
    const reply = await send(session, whole.subarray(0, 20), { ...json, ...gzip, ...edge.authorization });
    expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('invalid_argument') });
  });
});

describe('before the body', () => {
  const paths = [session, ask, ingest, '/v1/chat/stream', '/v1/chat/completions', '/v1/embeddings', '/v1/rerank'];
  const typeOf = (path: string) =>
    path.startsWith('/v1/') || path === session ? json : { 'content-type': 'application/connect+json' };

  test.each(paths)('%s refuses a caller without a key, though no body has come', async (path) => {
    const reply = await send(path, undefined, typeOf(path));
    expect(reply.body).toMatch(/unauthenticated|CREDENTIALS_MISSING|invalid_api_key/);
  });

  test('an upload is refused to a caller without the role', async () => {
    const headers = { ...streamJson, authorization: `Bearer ${edge.edge.devKeys?.customer}` };
    const reply = await send(ingest, undefined, headers);
    expect(reply.body).toContain('ROLE_MISSING');
  });

  test('an address without valid credentials has a limit of its own, which no caller with a key feels', async () => {
    await using limited = await startEdgeMesh({
      clock: () => Date.UTC(2026, 0, 1),
      config: { edge: { anonymousRequestsPerSecond: 1, anonymousBurst: 3 } } as never,
    });
    const check = () => fetch(`${limited.url}${health}`, { method: 'POST', headers: json, body: '{}' });
    const models = (key: string) => fetch(`${limited.url}/v1/models`, { headers: { 'x-api-key': key } });
    expect((await check()).status).toBe(200);
    expect((await models('unknown')).status).toBe(401);
    expect((await check()).status).toBe(200);
    const refused = await check();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject({ code: 'resource_exhausted' });
    expect((await models('unknown')).status).toBe(429);
    expect((await models(limited.edge.devKeys?.dev ?? '')).status).toBe(200);
    const chat = createClient(ChatService, createConnectTransport({ baseUrl: limited.url, httpVersion: '1.1' }));
    const error = await chat.getSession({ sessionId: 's' }).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
  });
});

test.each(['application/grpc-web+json', 'application/grpc+json'])(
  'a message of %s that is cut inside of a character is a mistake of its caller',
  async (type) => {
    const damaged = Buffer.from(`{"sessionId":[p${'\u{1f600}'.repeat(20)}`);
    const response = await fetch(`${edge.url}${session}`, {
      method: 'POST',
      headers: { 'content-type': type, ...edge.authorization },
      body: new Uint8Array(envelop(0, damaged)),
    });
    await response.arrayBuffer();
    if (type.includes('web')) expect(response.headers.get('grpc-status')).toBe(String(Code.InvalidArgument));
    expect(response.status).toBe(200);
  },
);
