import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { createLogger } from '#kit/base/log.ts';
import { collect } from '#kit/base/streams.ts';
import { readSettings, type SettingsShape } from '#kit/host/config/adapter-settings.ts';
import type { Adapter } from '#kit/host/config/adapters.ts';
import { ProviderError } from '../providers/error.ts';
import type { LlmProvider, LlmProviderDeps, ProviderEvent, ProviderRequest } from '../providers/llm-provider.ts';
import { requestOf } from '../suites/llm-provider.suite.ts';
import { createTargetFetch } from '../transport/fetch.ts';

/** A reply of a scripted provider, to the byte. */
export interface WireReply {
  status?: number;
  headers?: Record<string, string>;
  body: string | Uint8Array;
  /** Whether the connection stays open behind the body. */
  staysOpen?: boolean;
  /** Whether the connection breaks behind the body. */
  breaks?: boolean;
}

/** A request that a scripted provider got. */
export interface WireRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** A scripted provider on loopback. */
export interface WireServer extends AsyncDisposable {
  url: string;
  requests: WireRequest[];
  /** Resolves when a client has closed the connection before the reply was over. */
  brokenOff: Promise<void>;
}

/** Starts a scripted provider: the n-th request gets the n-th reply, the last one again and again. `undefined`: none ever comes. */
export async function startWire(...replies: (WireReply | undefined)[]): Promise<WireServer> {
  const requests: WireRequest[] = [];
  const { promise: brokenOff, resolve } = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) resolve();
    });
    let body = '';
    for await (const part of request) body += part;
    const reply = replies[Math.min(requests.length, replies.length - 1)];
    const { method = '', url: path = '', headers } = request;
    requests.push({ method, path, headers, body: body === '' ? undefined : JSON.parse(body) });
    if (reply === undefined) return;
    response.writeHead(reply.status ?? 200, reply.headers);
    response.write(reply.body, () => {
      if (reply.breaks) response.destroy();
    });
    if (!reply.staysOpen && !reply.breaks) response.end();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    brokenOff,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

// The one that adapters get from the gateway.
const clocks = {
  connectMs: 2000,
  headersMs: 30_000,
  firstTokenMs: 30_000,
  idleMs: 15_000,
  totalMs: 120_000,
  wholeMs: 120_000,
};
const gatewayFetch = createTargetFetch(clocks, 64).fetch;

/** A provider of an adapter with its default settings but for these. */
export function createWith<Shape extends SettingsShape>(
  adapter: Adapter<LlmProvider, LlmProviderDeps, Shape>,
  settings: Record<string, string | number | boolean>,
  fetch: typeof globalThis.fetch = gatewayFetch,
): LlmProvider {
  const values = readSettings(adapter.settings, settings, 'llm_gateway.models[0].settings');
  return adapter.create(values, { log: createLogger('silent'), path: 'llm_gateway.models[0]', fetch }) as LlmProvider;
}

const never = new AbortController().signal;

/** Every event of one completion. */
export function eventsOf(provider: LlmProvider, request: Partial<ProviderRequest> = {}): Promise<ProviderEvent[]> {
  return collect(provider.generate(requestOf(request), never));
}

/** What one completion throws, which has to be a ProviderError, and the events before it. */
export async function failureOf(
  provider: LlmProvider,
  request: Partial<ProviderRequest> = {},
): Promise<{ error: ProviderError; events: ProviderEvent[] }> {
  const events: ProviderEvent[] = [];
  try {
    for await (const event of provider.generate(requestOf(request), never)) events.push(event);
  } catch (error) {
    if (error instanceof ProviderError) return { error, events };
    throw error;
  }
  throw new Error(`nothing was thrown after ${JSON.stringify(events)}`);
}

/** A fetch that answers with these bytes, cut at these places. */
export function fetchOfBytes(
  bytes: Uint8Array,
  cuts: readonly number[],
  headers: Record<string, string>,
): typeof fetch {
  return async () => {
    const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
    const parts = [0, ...at].map((from, index) => bytes.slice(from, at[index] ?? bytes.length));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) if (part.length > 0) controller.enqueue(part);
        controller.close();
      },
    });
    return new Response(body, { status: 200, headers });
  };
}

/** Proves that a stream gives the same events wherever its bytes are cut, at every single place and at many at random. */
export async function expectSameWhereverCut(
  create: (fetch: typeof globalThis.fetch) => LlmProvider,
  stream: string,
  headers: Record<string, string>,
  runCount = 60,
): Promise<void> {
  const bytes = new TextEncoder().encode(stream);
  const whole = await eventsOf(create(fetchOfBytes(bytes, [], headers)));
  if (!whole.some(({ kind }) => kind === 'end')) throw new Error('the stream has no end: nothing would be proven');
  const seen = async (cuts: readonly number[]) =>
    JSON.stringify(await eventsOf(create(fetchOfBytes(bytes, cuts, headers))));
  const wanted = JSON.stringify(whole);
  const everyByte = Array.from({ length: bytes.length }, (_, index) => index);
  if ((await seen(everyByte)) !== wanted) throw new Error('cut at every byte, the stream gives other events');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { minLength: 1, maxLength: 20 }), async (cuts) => {
      return (await seen(cuts)) === wanted;
    }),
    { numRuns: runCount },
  );
}

/** Server-sent events as a text: `[name, data]`, an object as JSON. */
export function sse(...events: readonly (readonly [name: string, data: object | string])[]): string {
  const text = (data: object | string) => (typeof data === 'string' ? data : JSON.stringify(data));
  return events.map(([name, data]) => `event: ${name}\ndata: ${text(data)}\n\n`).join('');
}

/** A reply in one piece: an object as JSON, a text as it is. */
export function replied(status: number, body: object | string, headers: Record<string, string> = {}): WireReply {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: text };
}

/** A request to the byte, a line for every header named and every field; for snapshots. */
export function requestLines(request: WireRequest | undefined, headers: readonly string[] = []): string {
  if (request === undefined) return 'no request';
  const lines = [`${request.method} ${request.path}`];
  for (const name of headers) lines.push(`${name}: ${request.headers[name]}`);
  for (const [field, value] of Object.entries(request.body as object)) {
    if (Array.isArray(value)) lines.push(`${field}:`, ...value.map((entry) => `  ${JSON.stringify(entry)}`));
    else lines.push(`${field}: ${JSON.stringify(value)}`);
  }
  return lines.join('\n');
}
