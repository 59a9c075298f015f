import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';

/** A real HTTP server in the place of a provider, for tests. */
export interface FakeProvider extends AsyncDisposable {
  /** Its `base_url`. */
  url: string;
  /** Bodies of the requests so far. */
  requests: unknown[];
  /** When each of them came, by `performance.now()`. */
  times: number[];
  /** Resolves when a client has cancelled a response. */
  brokenOff: Promise<void>;
  /** Responses in flight. */
  openReplies(): number;
  /** Connections that are open. */
  connections(): Promise<number>;
}

/** What a fake provider does with a request. */
export type Responder = (response: ServerResponse, request: IncomingMessage, body: unknown) => unknown;

/** Starts a fake provider; the n-th completion gets the n-th reply, the last one again and again. */
export async function startFakeProvider(...replies: Responder[]): Promise<FakeProvider> {
  const requests: unknown[] = [];
  const times: number[] = [];
  let open = 0;
  const { promise: brokenOff, resolve } = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    open += 1;
    response.on('close', () => {
      open -= 1;
      if (!response.writableFinished) resolve();
    });
    let body = '';
    for await (const part of request) body += part;
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'bge-embed' }, { id: 'qwen3' }] }));
      return;
    }
    const reply = replies[Math.min(requests.length, replies.length - 1)] as Responder;
    times.push(performance.now());
    const parsed: unknown = JSON.parse(body);
    requests.push(parsed);
    await reply(response, request, parsed);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    times,
    brokenOff,
    openReplies: () => open,
    connections: () =>
      new Promise((done, fail) => server.getConnections((error, n) => (error ? fail(error) : done(n)))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A reply that streams chunks as server-sent events: objects as JSON, strings as they are; then stays open or ends. */
export function streamed(chunks: readonly (object | string)[], staysOpen = false): Responder {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks)
      response.write(typeof chunk === 'string' ? chunk : `data: ${JSON.stringify(chunk)}\n\n`);
    if (!staysOpen) response.end();
  };
}

/** A reply that streams chunks one by one: chunks that arrive together become one event. */
export function slowly(chunks: readonly (object | string)[], pauseMs = 20): Responder {
  return async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) {
      response.write(typeof chunk === 'string' ? chunk : `data: ${JSON.stringify(chunk)}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    response.end();
  };
}

/** A reply that streams chunks and then breaks the connection. */
export function cutAfter(chunks: readonly (object | string)[]): Responder {
  return (response, request, body) => {
    streamed(chunks, true)(response, request, body);
    // The chunks leave the process first.
    setTimeout(() => response.destroy(), 5);
  };
}

/** A reply that sends its head only after a while. */
export function after(ms: number, reply: Responder): Responder {
  return (response, request, body) => {
    const timer = setTimeout(() => reply(response, request, body), ms);
    response.on('close', () => clearTimeout(timer));
  };
}

/** No reply at all. */
export const silence: Responder = () => {};

/** A reply with an error status. */
export function failed(status: number, error: object, headers: Record<string, string> = {}): Responder {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error }));
  };
}

/** A chunk with a part of the text. */
export const content = (text: string) => ({ choices: [{ index: 0, delta: { content: text }, finish_reason: null }] });
/** The last chunk of a completion. */
export const finish = (reason: string) => ({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
/** The chunk that counts tokens. */
export const usage = (prompt: number, completion: number, cached = 0) => ({
  choices: [],
  usage: {
    prompt_tokens: prompt,
    completion_tokens: completion,
    prompt_tokens_details: { cached_tokens: cached },
  },
});
/** What servers send last. */
export const doneMark = 'data: [DONE]\n\n';

/** A reply in one piece. */
export const inOnePiece = (body: object): Responder => {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
};
/** A completion in one piece. */
export const completion = (text: string, reason: string, prompt: number, completed: number) => ({
  ...usage(prompt, completed),
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: reason }],
});
/** One reply for requests that stream, another one for those that want one piece. */
export const eitherWay = (stream: Responder, piece: Responder): Responder => {
  return (response, request, body) =>
    ((body as { stream?: boolean }).stream === true ? stream : piece)(response, request, body);
};

/** Passages for tests. */
export function passagesOf(...passages: MessageInitShape<typeof PassageSchema>[]): Passage[] {
  return passages.map((passage) => create(PassageSchema, passage));
}
