import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { compressionGzip, createConnectTransport } from '@connectrpc/connect-node';
import { afterEach, describe, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type AskEvent, type EdgeMesh, type EdgeMeshOptions, startEdgeMesh } from '../testing/stand-ins.ts';

// Clients that break rules, by malice or by accident.

let edge: EdgeMesh;
const sockets: Socket[] = [];
const start = async (options: EdgeMeshOptions) => {
  edge = await startEdgeMesh(options);
};
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await edge.mesh.close();
});

const raw = (text: string): Socket => {
  const socket = connect(edge.edge.port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  socket.write(text);
  return socket;
};
// Unlike `once`, it does not fail if the other side resets the connection.
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));
const replyOf = async (socket: Socket): Promise<string> => {
  let reply = '';
  socket.on('data', (data) => {
    reply += data;
  });
  await closed(socket);
  return reply;
};
const noConnections = () => expect.poll(() => edge.edge.connectionCount(), { interval: 5, timeout: 5_000 }).toBe(0);

// The preface of HTTP/2 and an empty SETTINGS frame; a HEADERS frame that another one is to continue (RFC 9113, sections 3.4, 6.5, 6.2).
const http2Start = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
const http2Headers = '\0\0\x01\x01\0\0\0\0\x01\x02';

async function* endless(): AsyncGenerator<AskEvent> {
  for (;;) yield { case: 'textDelta', value: { text: 'x'.repeat(10_000) } };
}

describe('too much', () => {
  const megabyte = 1 << 20;

  test.each([
    ['a JSON route', '/v1/chat/stream', 413, true],
    ['a JSON route, its length unsaid', '/v1/chat/completions', 413, false],
    ['an unary rpc', '/ragmesh.chat.v1.ChatService/GetSession', 429, true],
    ['an unary rpc, its length unsaid', '/ragmesh.chat.v1.ChatService/GetSession', 429, false],
    ['a path that nobody serves', '/nothing', 404, false],
  ])('80 MB to %s are refused, never held, and the refusal arrives', async (_, path, status, saysLength) => {
    await start({ limits: { discardTimeoutMs: 200 } });
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    let sent = 0;
    const response = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const request = httpRequest(`${edge.url}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...edge.authorization,
          ...(saysLength ? { 'content-length': String(80 * megabyte) } : {}),
        },
      });
      request.on('error', reject);
      request.on('response', (incoming) => {
        let body = '';
        incoming.on('data', (data) => {
          body += data;
        });
        incoming.on('end', () => resolve({ status: incoming.statusCode, body }));
      });
      const chunk = Buffer.alloc(megabyte, 0x20);
      const write = () => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        while (sent++ < 80) if (!request.write(chunk)) return request.once('drain', write);
        return request.end();
      };
      write();
    });
    expect(response.status).toBe(status);
    if (status !== 404) expect(response.body).toMatch(/resource_exhausted|TOO_LARGE|too_large/);
    expect(peak).toBeLessThan(24 * megabyte);
  });

  test('a message of an upload that is larger than allowed ends the upload', async () => {
    await start({});
    for (const httpVersion of ['1.1', '2'] as const) {
      const client = createClient(IndexerService, createConnectTransport({ baseUrl: edge.url, httpVersion }));
      async function* parts() {
        yield { part: { case: 'start' as const, value: { corpus: 'help' } } };
        yield { part: { case: 'data' as const, value: new Uint8Array(6 * megabyte) } };
      }
      const error = await client.ingestDocuments(parts(), { headers: edge.authorization }).catch(ConnectError.from);
      expect((error as ConnectError).code).toBe(Code.ResourceExhausted);
      expect(errorInfoOf(error)).toMatchObject({
        reason: 'TOO_LARGE',
        metadata: { limit_bytes: String(4 * megabyte) },
      });
      expect(edge.seen.uploadedBytes).toBe(0);
    }
  });

  test('a compressed message that grows beyond the limit is refused', async () => {
    await start({});
    const client = createClient(
      IndexerService,
      createConnectTransport({
        baseUrl: edge.url,
        httpVersion: '2',
        sendCompression: compressionGzip,
      }),
    );
    async function* parts() {
      yield { part: { case: 'data' as const, value: new Uint8Array(8 * megabyte) } };
    }
    const error = await client.ingestDocuments(parts(), { headers: edge.authorization }).catch(ConnectError.from);
    expect((error as ConnectError).code).toBe(Code.ResourceExhausted);
  });

  test('headers without end are refused', async () => {
    await start({});
    const reply = await replyOf(raw(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`));
    expect(reply).toContain('431');
    await noConnections();
  });

  test('a full port closes the connection that has been idle for longest, never one that has a request', async () => {
    await start({ limits: { maxConnections: 2 }, answer: () => endless() });
    const busy = raw(
      `POST /v1/chat/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: ${edge.authorization.authorization}\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"query":"x"}`,
    );
    await once(busy, 'data');
    const idle = raw('');
    await expect.poll(() => edge.edge.connectionCount(), { interval: 5 }).toBe(2);
    const health = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
    expect(await replyOf(raw(health))).toContain('200 OK');
    expect(idle.destroyed || (await closed(idle)) === undefined).toBe(true);
    expect(busy.destroyed).toBe(false);
    const second = raw(health.replace('close', 'keep-alive'));
    await once(second, 'data');
    expect(await replyOf(raw(health))).toContain('200 OK');
    expect(busy.destroyed).toBe(false);
  });

  test('a port whose connections all have a request refuses one more', async () => {
    await start({ limits: { maxConnections: 1 }, answer: () => endless() });
    const busy = raw(
      `POST /v1/chat/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: ${edge.authorization.authorization}\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"query":"x"}`,
    );
    await once(busy, 'data');
    expect(await replyOf(raw('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n'))).toBe('');
    expect(busy.destroyed).toBe(false);
  });
});

describe('too slow', () => {
  test.each([
    ['says nothing', ''],
    ['begins like HTTP/2 and stops', 'PRI * HT'],
    ['speaks HTTP/2 and asks nothing', http2Start],
    ['begins the headers of an HTTP/2 request', `${http2Start}${http2Headers}`],
    ['never ends its headers', 'GET / HTTP/1.1\r\nhost: localhost\r\nx: y\r\n'],
  ])('a client that %s is cut', async (_, text) => {
    await start({ limits: { headersTimeoutMs: 60 } });
    const socket = raw(text);
    const drip = setInterval(() => socket.write('z'), 20);
    if (!text.startsWith('GET')) clearInterval(drip);
    await replyOf(socket);
    clearInterval(drip);
    await noConnections();
  });

  test('a body that does not arrive is a deadline, also if it drips', async () => {
    await start({ limits: { bodyTimeoutMs: 80, discardTimeoutMs: 200 } });
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10000\r\nauthorization: ${edge.authorization.authorization}\r\n\r\n{`;
    for (const path of ['/v1/chat/stream', '/ragmesh.chat.v1.ChatService/GetSession']) {
      const socket = raw(head(path));
      const drip = setInterval(() => socket.write(' '), 10);
      const cut = closed(socket);
      const [reply] = await once(socket, 'data');
      expect(String(reply)).toContain('504');
      await cut;
      clearInterval(drip);
    }
    await noConnections();
  });

  test('large bodies of one tenant wait for turns, and are refused with the time to retry if turns take too long', async () => {
    await start({ limits: { bodyTimeoutMs: 200 } });
    const content = '\u4e2d'.repeat(1_000_000);
    const ask = async () => {
      const reply = await fetch(`${edge.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...edge.authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content }] }),
      });
      return `${reply.status} ${reply.headers.get('retry-after') ?? ''} ${await reply.text()}`;
    };
    // 3 MB are some 46 turns of 2 ms or more each, so no machine reads twelve of them in that time.
    const replies = await Promise.all(Array.from({ length: 12 }, ask));
    expect(replies.filter((reply) => /^\d+ [1-9]\d* .*too many large bodies/s.test(reply)).length).toBeGreaterThan(5);
  });

  test('a large body is read whole, also if a piece ends within a character', async () => {
    await start({});
    for (const content of ['\u4e2d'.repeat(900_000), `x${'\ud83d\ude00\\"'.repeat(300_000)}`]) {
      const reply = await fetch(`${edge.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...edge.authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content }] }),
      });
      expect(await reply.text()).toMatch(/characters|too long|length/);
      expect(reply.status).toBe(400);
    }
  });

  test('an upload may take its time, but not fall silent', async () => {
    await start({ limits: { bodyTimeoutMs: 20, uploadIdleTimeoutMs: 200 } });
    const client = createClient(IndexerService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
    const upload = (silenceMs: number) =>
      client
        .ingestDocuments(
          (async function* () {
            for (let index = 0; index < 4; index++) {
              yield { part: { case: 'data' as const, value: new Uint8Array(10) } };
              await new Promise((resolve) => setTimeout(resolve, silenceMs));
            }
          })(),
          { headers: edge.authorization },
        )
        .then(({ sizeBytes }) => sizeBytes, ConnectError.from);
    expect(await upload(30)).toBe(40n);
    expect(await upload(1000)).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test.each(['h1', 'h2'])('a client that reads nothing holds little, and is let go (%s)', async (kind) => {
    let producedBytes = 0;
    await start({
      limits: { stallTimeoutMs: 300 },
      async *answer() {
        for await (const event of endless()) {
          producedBytes += 10_000;
          yield event;
          yield { case: 'stage', value: { stage: 1 } };
        }
      },
    });
    const body = Buffer.from(JSON.stringify({ question: 'x' }));
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]);
    let session: ClientHttp2Session | undefined;
    if (kind === 'h1') {
      raw(
        `POST /ragmesh.chat.v1.ChatService/Ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/connect+json\r\n` +
          `authorization: ${edge.authorization.authorization}\r\ncontent-length: ${envelope.length}\r\n\r\n${envelope.toString('latin1')}`,
      ).pause();
    } else {
      session = connectHttp2(edge.url);
      const stream = session.request({
        ':method': 'POST',
        ':path': '/ragmesh.chat.v1.ChatService/Ask',
        'content-type': 'application/connect+json',
        ...edge.authorization,
      });
      stream.on('error', () => {});
      stream.end(envelope);
    }
    await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(1);
    await expect.poll(() => edge.seen.openCount, { interval: 5, timeout: 5_000 }).toBe(0);
    // What the kernel's buffers take is beyond the edge; an endless answer would be gigabytes by now.
    expect(producedBytes).toBeLessThan(20_000_000);
    session?.destroy();
    await noConnections();
  });
});

describe('too wild', () => {
  test('a client that opens and resets streams without end loses its connection', async () => {
    await start({ limits: { streamResetBurst: 50, streamResetsPerSecond: 1 }, answer: endless });
    const session = connectHttp2(edge.url);
    session.on('error', () => {});
    const goaway = once(session, 'goaway');
    for (let index = 0; index < 500 && !session.destroyed && !session.closed; index++) {
      const stream = session.request({ ':path': '/healthz' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await goaway;
    session.destroy();
    await noConnections();
    expect((await fetch(`${edge.url}/healthz`)).status).toBe(200);
  });

  test('what is not HTTP is refused, and nothing falls over', async () => {
    await start({});
    const bad = [
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x01\x05\x00\x00\x00\x01\xff',
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/9.9\r\nhost: x\r\n\r\n',
      'POST /ragmesh.chat.v1.ChatService/GetSession HTTP/1.1\r\nhost: [\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
      'GET //[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      'GET /v1/models/%ff%fe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      'GET http://x/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      '\0'.repeat(100),
    ];
    for (const text of bad) {
      const socket = raw('');
      socket.end(Buffer.from(text, 'latin1'));
      await replyOf(socket);
    }
    await noConnections();
    expect((await fetch(`${edge.url}/healthz`)).status).toBe(200);
  });

  test('clients that go away at any moment leave nothing behind', async () => {
    await start({
      async *answer() {
        for (let index = 0; index < 50; index++) {
          yield { case: 'textDelta', value: { text: 'x'.repeat(2_000) } };
          yield { case: 'stage', value: { stage: 1 } };
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    });
    const chat = createClient(ChatService, createConnectTransport({ baseUrl: edge.url, httpVersion: '2' }));
    const leave = async (index: number) => {
      const controller = new AbortController();
      let count = 0;
      try {
        if (index % 2 === 0) {
          const options = { headers: edge.authorization, signal: controller.signal };
          for await (const _ of chat.ask({ question: 'x' }, options)) if (++count > index) controller.abort();
        } else {
          const response = await fetch(`${edge.url}/v1/chat/stream`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...edge.authorization },
            body: '{"query":"x"}',
            signal: controller.signal,
          });
          for await (const _ of response.body ?? []) if (++count > index / 4) controller.abort();
        }
      } catch {
        // Leaving is an error to the one who left.
      }
    };
    await Promise.all(Array.from({ length: 40 }, (_, index) => leave(index)));
    await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
  });
});
