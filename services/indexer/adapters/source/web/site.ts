import { createRequire } from 'node:module';
import type robots from 'robots-parser';
import { unavailable } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { HttpFailure } from '#kit/http/failure.ts';
import type { GuardedReply } from '#kit/http/guard/guarded-http.ts';
import type { SourceDeps } from '../../../sources/source.ts';

type Robot = ReturnType<typeof robots.default>;
// A CommonJS module whose types say that it has a default export.
const robotsParser = createRequire(import.meta.url)('robots-parser') as typeof robots.default;

/** What is read of a site. */
export interface SiteSettings {
  user_agent: string;
  authorization: string;
  respect_robots: boolean;
  timeout_ms: number;
}

/** Requests to the pages of sites, as their owners allow. */
export interface Site {
  /** Reports whether the owner lets this reader in. */
  isAllowed(url: string, signal: AbortSignal): Promise<boolean>;
  /** Returns the sitemaps that the owner of a site names. */
  sitemaps(url: string, signal: AbortSignal): Promise<string[]>;
  /** Reads a page. Rejects with {@link HttpFailure} on 429 and 503, and with UNAVAILABLE on other failures of the server. */
  get(
    url: string,
    signal: AbortSignal,
    options?: { headers?: Record<string, string>; maxBytes?: number },
  ): Promise<GuardedReply>;
}

const robotsBytesMax = 512 << 10;
const hostsMax = 100;
/** Longest wait between two requests that robots.txt can ask for. */
const crawlDelayMaxMs = 10_000;

/** Creates the requests of a source. */
export function createSite(settings: SiteSettings, { http, maxBytes }: SourceDeps): Site {
  const robots = new Map<string, Promise<Robot | undefined>>();
  const send = async (
    url: string,
    signal: AbortSignal,
    more: { headers?: Record<string, string>; maxBytes?: number },
  ) => {
    const { user_agent, authorization, timeout_ms } = settings;
    const reply = await http.send(
      {
        url,
        headers: { 'user-agent': user_agent, ...(authorization !== '' && { authorization }), ...more.headers },
        timeoutMs: timeout_ms,
        maxBytes: more.maxBytes ?? maxBytes,
      },
      signal,
    );
    if (reply.status === 429 || reply.status === 503) throw new HttpFailure(429, undefined, reply.headers);
    if (reply.status >= 500) throw unavailable(new URL(url).host, `${url} failed with status ${reply.status}`);
    return reply;
  };
  const readRobots = async (origin: string, signal: AbortSignal): Promise<Robot | undefined> => {
    const url = `${origin}/robots.txt`;
    // Without an answer nothing may be read (RFC 9309, 2.3.1.4); without the file everything.
    const { status, body } = await send(url, signal, { maxBytes: robotsBytesMax });
    return status < 300 ? robotsParser(url, new TextDecoder().decode(body)) : undefined;
  };
  const robotsOf = (url: string, signal: AbortSignal): Promise<Robot | undefined> => {
    if (!settings.respect_robots) return Promise.resolve(undefined);
    const { origin } = new URL(url);
    const known = robots.get(origin);
    if (known !== undefined) return known;
    if (robots.size >= hostsMax) robots.clear();
    const read = readRobots(origin, signal);
    robots.set(origin, read);
    read.catch(() => robots.delete(origin));
    return read;
  };
  return {
    isAllowed: async (url, signal) => (await robotsOf(url, signal))?.isAllowed(url, settings.user_agent) !== false,
    sitemaps: async (url, signal) => (await robotsOf(url, signal))?.getSitemaps() ?? [],
    async get(url, signal, options = {}) {
      const delay = (await robotsOf(url, signal))?.getCrawlDelay(settings.user_agent);
      if (delay !== undefined && delay > 0) await sleep(Math.min(delay * 1000, crawlDelayMaxMs), signal);
      return send(url, signal, options);
    },
  };
}
