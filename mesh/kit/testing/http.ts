import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that a loopback server got. */
export interface LoopbackRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** Its JSON; undefined if it has none. */
  body: unknown;
}

/** What a loopback server answers. */
export interface LoopbackReply {
  /** @default 200 */
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, in place of `json`. */
  text?: string;
  /** Whether the connection breaks in the middle of the body. */
  cut?: boolean;
  /** Nothing is sent. */
  hang?: boolean;
}

/** An HTTP server on loopback that answers as a test says. */
export interface Loopback extends AsyncDisposable {
  /** "http://127.0.0.1:1234". */
  url: string;
  /** What it got, oldest first. */
  requests: LoopbackRequest[];
  /** Answers the next requests, one each, in place of the handler. */
  next(...replies: LoopbackReply[]): void;
  /** Resolves once as many requests were given up by their clients. */
  gaveUp(count: number): Promise<void>;
}

/** Starts a server. `handler` answers when no `next` reply is left. */
export async function startLoopback(
  handler: (request: LoopbackRequest) => LoopbackReply | Promise<LoopbackReply>,
): Promise<Loopback> {
  const requests: LoopbackRequest[] = [];
  const replies: LoopbackReply[] = [];
  let gaveUpCount = 0;
  const waiting: { count: number; resolve(): void }[] = [];
  const server = createServer(async (incoming, outgoing) => {
    let text = '';
    for await (const part of incoming.setEncoding('utf8')) text += part;
    const { method = '', url = '', headers } = incoming;
    const request = { method, path: url, headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    requests.push(request);
    outgoing.once('close', () => {
      if (outgoing.writableFinished) return;
      gaveUpCount++;
      for (const { resolve } of waiting.filter(({ count }) => count <= gaveUpCount)) resolve();
    });
    const reply = replies.shift() ?? (await handler(request));
    if (reply.hang) return;
    outgoing.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
    const body = reply.text ?? JSON.stringify(reply.json ?? {});
    if (reply.cut) {
      outgoing.write(body.slice(0, body.length / 2), () => outgoing.destroy());
      return;
    }
    outgoing.end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    next: (...given) => void replies.push(...given),
    gaveUp: (count) =>
      new Promise((resolve) => {
        if (gaveUpCount >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What of a request is ours to decide: method, path, the headers of that name, body. For snapshots. */
export function shown({ method, path, headers, body }: LoopbackRequest, headerNames: readonly string[]) {
  const kept = headerNames.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]));
  return { request: `${method} ${path}`, headers: Object.fromEntries(kept), body };
}
