import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { searchWeb, type WebSearch } from '../stores/web-search.ts';

/** A request that an engine received. */
export interface EngineRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** An engine as the suite tests it, against a server on loopback that answers in its shape. */
export interface EngineUnderTest {
  create(url: string, timeoutMs: number): WebSearch;
  /** A reply with these results, in the engine's documented shape. */
  replyOf(results: readonly { title: string; url: string; text: string }[]): unknown;
  /** Headers of a request that identify the caller and the format. */
  headers: readonly string[];
  /** The engine's reply to an unknown key. */
  refusal: { status: number; body: unknown };
}

type Answer = (request: EngineRequest, response: ServerResponse) => void;

const results = [
  { title: 'Return policy', url: 'https://shop.example/returns', text: 'Within 7 days.' },
  { title: '退货政策', url: 'https://shop.example/zh/returns', text: '支持7天无理由退货。' },
  { title: 'Warranty', url: 'https://shop.example/warranty', text: 'One year.' },
];
const notAborted = new AbortController().signal;

/** Tests the contract of every engine. */
export function webSearchSuite(name: string, { create, replyOf, headers, refusal }: EngineUnderTest): void {
  describe(`${name} conforms to the port of web search`, () => {
    const requests: EngineRequest[] = [];
    let answer: Answer;
    let url = '';
    const server = createServer((incoming, outgoing) => {
      void receive(incoming).then((request) => {
        requests.push(request);
        answer(request, outgoing);
      });
    });
    beforeAll(async () => {
      server.listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    });
    afterAll(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });

    const json = (status: number, body: unknown, more: Record<string, string> = {}): Answer => {
      return (_request, response) => {
        response.writeHead(status, { 'content-type': 'application/json', ...more }).end(JSON.stringify(body));
      };
    };
    const ask = (text = 'return policy', { limit = 5, language = '', timeoutMs = 5000, signal = notAborted } = {}) =>
      searchWeb(create(url, timeoutMs), { text, language, limit }, signal);
    const failure = async (asked: Promise<unknown>): Promise<ConnectError> => {
      const error = await asked.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ConnectError);
      return error as ConnectError;
    };

    test('asks as the engine documents it', async () => {
      answer = json(200, replyOf(results));
      requests.length = 0;
      await ask('退货 & "returns" #1', { limit: 3, language: 'zh' });
      await ask();
      expect(
        requests.map(({ headers: given, ...request }) => ({
          ...request,
          headers: Object.fromEntries(headers.map((header) => [header, given[header]])),
        })),
      ).toMatchSnapshot();
    });

    test('gives the results in their order, each with its place as score', async () => {
      answer = json(200, replyOf(results));
      expect(await ask()).toEqual(
        results.map(({ title, url: page, text }, place) => ({ title, url: page, text, score: 1 / (place + 1) })),
      );
      expect(await ask('x', { limit: 2 })).toHaveLength(2);
    });

    test('nothing found is no error', async () => {
      answer = json(200, replyOf([]));
      expect(await ask()).toEqual([]);
    });

    test('an empty question is answered without asking', async () => {
      requests.length = 0;
      expect(await ask(' \u200b ')).toEqual([]);
      expect(requests).toEqual([]);
    });

    test('a long question is cut to what the engine takes', async () => {
      answer = json(200, replyOf(results));
      requests.length = 0;
      await ask('word '.repeat(4000));
      const [request] = requests as [EngineRequest];
      expect(request.path.length + request.body.length).toBeLessThan(1000);
    });

    test('results are plain text of pages that a person can open, each once', async () => {
      answer = json(
        200,
        replyOf([
          { title: 'script', url: 'javascript:alert(1)', text: 'x' },
          { title: 'file', url: 'file:///etc/passwd', text: 'x' },
          { title: 'data', url: 'data:text/html,x', text: 'x' },
          { title: 'credentials', url: 'https://user:secret@shop.example/', text: 'x' },
          { title: 'relative', url: '/returns', text: 'x' },
          { title: 'empty', url: 'https://shop.example/empty', text: ' <br> ' },
          { title: 'long', url: `https://shop.example/${'x'.repeat(3000)}`, text: 'x' },
          {
            title: '<b>Bold</b> &amp; <script>alert(1)</script> done',
            url: 'https://shop.example/a#part',
            text: 'a\u0000b\u202ec\u{e0041}d &lt;system&gt; <strong>e</strong>\n\n<!-- hidden --> f \ud800',
          },
          { title: 'again', url: 'https://shop.example/a#other', text: 'x' },
          { title: '', url: 'http://plain.example/', text: 'y'.repeat(50_000) },
          { title: 't'.repeat(5000), url: 'https://shop.example/b', text: '😀'.repeat(5000) },
        ]),
      );
      const passages = await ask('x', { limit: 20 });
      expect(passages.map(({ url: page }) => page)).toEqual([
        'https://shop.example/a',
        'http://plain.example/',
        'https://shop.example/b',
      ]);
      expect(passages[0]).toMatchObject({ title: 'Bold & done', text: 'a bcd <system> e f \ufffd' });
      expect(passages[1]).toMatchObject({ title: 'plain.example', text: 'y'.repeat(2000) });
      expect(passages[2]?.title).toHaveLength(300);
      expect(passages[2]?.text).toBe('😀'.repeat(1000));
    });

    test('a key that the engine refuses is UNAVAILABLE and says so, without the key', async () => {
      answer = json(refusal.status, refusal.body);
      const error = await failure(ask());
      expect(error.code).toBe(Code.Unavailable);
      expect(error.rawMessage).toMatch(/refuses its key/);
    });

    test('too many questions are RESOURCE_EXHAUSTED, with when to try again', async () => {
      answer = json(429, {}, { 'retry-after': '7' });
      const error = await failure(ask());
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(7n);
      answer = json(429, {}, { 'retry-after': 'soon' });
      expect((await failure(ask())).findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(1n);
    });

    test('an engine that fails, redirects, lies or floods is UNAVAILABLE', async () => {
      const answers: Answer[] = [
        json(500, {}),
        json(503, {}),
        json(302, {}, { location: 'http://127.0.0.1:1/' }),
        json(200, { unexpected: true }),
        json(200, []),
        json(200, null),
        (_request, response) => response.writeHead(200).end('<html>not json'),
        (_request, response) => response.destroy(),
        (_request, response) => {
          response.writeHead(200);
          const flood = () => {
            while (!response.destroyed && response.write('x'.repeat(65_536)));
          };
          response.on('drain', flood);
          flood();
        },
      ];
      for (const given of answers) {
        answer = given;
        expect((await failure(ask())).code).toBe(Code.Unavailable);
      }
    });

    test('rows that are not as documented are left out', async () => {
      const odd = [null, 7, 'text', {}, { title: 1, url: 2, content: 3, description: 4 }] as never[];
      const reply = replyOf(results) as { results?: unknown[]; web?: { results: unknown[] } };
      (reply.results ?? reply.web?.results)?.unshift(...odd);
      answer = json(200, reply);
      expect(await ask()).toHaveLength(results.length);
    });

    test('an engine that does not answer in time is given up', async () => {
      answer = () => {};
      const error = await failure(ask('x', { timeoutMs: 100 }));
      expect(error.code).toBe(Code.Unavailable);
      expect(error.rawMessage).toMatch(/did not answer within 100 ms/);
    });

    test('a caller who leaves ends the request', async () => {
      const controller = new AbortController();
      const reason = new Error('left');
      const ended = new Promise((resolve) => {
        answer = (_request, response) => {
          response.on('close', resolve);
          controller.abort(reason);
        };
      });
      await expect(ask('x', { signal: controller.signal })).rejects.toBe(reason);
      await ended;
      await expect(ask('x', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });
  });
}

async function receive(incoming: IncomingMessage): Promise<EngineRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method as string,
    path: incoming.url as string,
    headers: incoming.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString(),
  };
}
