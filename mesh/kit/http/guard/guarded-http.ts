import { isIP } from 'node:net';
import type { Agent, buildConnector } from 'undici';
import { invalidArgument, tooLarge } from '../../base/errors.ts';
import { readBody, withinTime } from '../json.ts';
import { undici } from '../undici.ts';
import { bareHost } from './addresses.ts';
import { type AddressGuard, toGuardError } from './guard.ts';

/** A request to an address that a user has given. */
export interface GuardedRequest {
  url: string;
  /** @default GET */
  method?: string;
  /** Not sent to another origin after a redirect, except for `accept`, `user-agent` and conditions. */
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Longest time for all redirects and the whole body, in milliseconds. */
  timeoutMs: number;
  /** Largest body, in bytes, after it was decompressed. */
  maxBytes: number;
  /** Most redirects; only those of GET and HEAD are followed. @default 5 */
  maxRedirects?: number;
  /** Media types whose bodies are read, without parameters; the body of another one is empty. @default all */
  mediaTypes?: readonly string[];
}

/** The last reply, whatever its status. */
export interface GuardedReply {
  status: number;
  headers: Headers;
  body: Uint8Array;
  /** Address of the reply, after redirects. */
  url: string;
}

/** HTTP to addresses that users have given. */
export interface GuardedHttp {
  /**
   * Sends a request. Rejects with INVALID_ARGUMENT if an address on its way is not public, with RESOURCE_EXHAUSTED if the body is too
   * large, with UNAVAILABLE if the server cannot be reached or is late, and with the reason of the signal.
   */
  send(request: GuardedRequest, signal: AbortSignal): Promise<GuardedReply>;
  /** Checks the address of every connection; follows redirects only if `redirect` says so, each with a checked connection of its own. */
  fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

/** Bounds of a client. */
export interface GuardedHttpOptions {
  guard: AddressGuard;
  /** @default 5000 */
  connectTimeoutMs?: number;
  /** Most connections to one server. @default 8 */
  maxConnections?: number;
}

/** Headers that say nothing of who asks. */
const openHeaders = new Set(['accept', 'accept-language', 'if-modified-since', 'if-none-match', 'user-agent']);
const redirects = new Set([301, 302, 303, 307, 308]);

/** Creates a client whose every connection is checked by `guard`: that of a name, of a literal address, and of each redirect. */
export function createGuardedHttp({
  guard,
  connectTimeoutMs = 5000,
  maxConnections = 8,
}: GuardedHttpOptions): GuardedHttp {
  let agent: Agent | undefined;
  const openAgent = () =>
    new (undici().Agent)({
      connect: connectorOf(guard, connectTimeoutMs),
      connections: maxConnections,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  const fetch = ((input: string | URL, init: object) => {
    agent ??= openAgent();
    return undici().fetch(input, { ...init, dispatcher: agent });
  }) as unknown as typeof globalThis.fetch;
  return {
    fetch,
    async send(request, signal) {
      const dependency = urlOf(request.url).host;
      try {
        return await withinTime(dependency, request.timeoutMs, signal, (ends) =>
          follow(request, fetch, dependency, ends),
        );
      } catch (error) {
        throw toGuardError(error);
      }
    },
    close: async () => {
      await agent?.destroy();
    },
  };
}

/** Returns a connector that asks the guard before each connection, and connects to the addresses that it has checked. */
function connectorOf(guard: AddressGuard, timeout: number): buildConnector.connector {
  return (options, done) => {
    const { hostname, protocol } = options;
    const port = Number(options.port) || (protocol === 'https:' ? 443 : 80);
    const connect = undici().buildConnector({ timeout, lookup: guard.lookup(port) });
    if (isIP(bareHost(hostname)) === 0) {
      connect(options, done);
      return;
    }
    // A literal address is not looked up.
    guard.resolve(hostname, port).then(
      () => connect(options, done),
      (error: Error) => done(error, null),
    );
  };
}

async function follow(
  request: GuardedRequest,
  fetch: typeof globalThis.fetch,
  dependency: string,
  signal: AbortSignal,
): Promise<GuardedReply> {
  const { method = 'GET', maxRedirects = 5 } = request;
  const first = urlOf(request.url);
  let url = first;
  for (let count = 0; ; count++) {
    const headers = url.origin === first.origin ? request.headers : openOnly(request.headers);
    const reply = await fetch(url, {
      method,
      redirect: 'manual',
      signal,
      ...(headers !== undefined && { headers }),
      ...(request.body !== undefined && { body: request.body }),
    });
    const location = reply.headers.get('location');
    const isFollowed = redirects.has(reply.status) && location !== null && (method === 'GET' || method === 'HEAD');
    if (!isFollowed) return { ...(await readReply(reply, request, dependency)), url: url.href };
    await reply.body?.cancel();
    if (count >= maxRedirects) throw invalidArgument(`${first.href}: more than ${maxRedirects} redirects`);
    url = urlOf(location, url);
  }
}

async function readReply(
  reply: Response,
  { maxBytes, mediaTypes }: GuardedRequest,
  dependency: string,
): Promise<Omit<GuardedReply, 'url'>> {
  const { status, headers } = reply;
  const mediaType = (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const isRead = status < 300 && (mediaTypes === undefined || mediaTypes.includes(mediaType));
  if (!isRead && status < 300) {
    await reply.body?.cancel();
    return { status, headers, body: new Uint8Array() };
  }
  if (Number(headers.get('content-length')) > maxBytes) {
    await reply.body?.cancel();
    throw tooLarge(`the reply of ${dependency}`, maxBytes);
  }
  return { status, headers, body: await readBody(reply, maxBytes, dependency) };
}

function openOnly(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => openHeaders.has(name.toLowerCase())));
}

/** Returns an http or https address without a password in it. Throws INVALID_ARGUMENT. */
function urlOf(text: string, base?: URL): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidArgument(`"${text.slice(0, 200)}" is no http or https address`);
  }
  if (url.username !== '' || url.password !== '') throw invalidArgument('an address must not have a password in it');
  return url;
}
