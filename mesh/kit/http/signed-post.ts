import { createHmac } from 'node:crypto';
import { sleep } from '../base/streams.ts';
import { HttpFailure, unavailableHttp } from './failure.ts';
import { withinTime } from './json.ts';

/** Longest pause before another attempt, in milliseconds. */
const maxBackoffMs = 8000;

/** How to reach a receiver of signed posts. */
export interface SignedPostOptions {
  /** Who receives, for errors: "hand-over desk". */
  dependency: string;
  url: string;
  /** Key of the signature. */
  secret: string;
  /** Time for one attempt, in milliseconds. */
  timeoutMs: number;
  /** Attempts; again only if the receiver is away, or answers 429 or 5xx. */
  attempts: number;
  /** Pause before the second attempt, in milliseconds; each later one is twice as long, up to 8 s. */
  backoffMs: number;
  clock: () => number;
  fetch: typeof globalThis.fetch;
}

/** Posts a body. Resolves when the receiver has accepted it; rejects with UNAVAILABLE if it did not in the end. */
export type SignedPost = (body: string, headers: Record<string, string>, signal: AbortSignal) => Promise<void>;

/**
 * Creates a sender of signed posts. The header `x-ragmesh-signature` is `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the secret over
 * `<seconds>.<body>`. A receiver compares it and refuses old times. An attempt whose reply was lost is repeated: the receiver needs a key in the
 * body or a header to know it by.
 */
export function createSignedPost(options: SignedPostOptions): SignedPost {
  const { dependency, url, secret, timeoutMs, attempts, backoffMs, clock, fetch } = options;
  const post = (body: string, headers: Record<string, string>, signal: AbortSignal) =>
    withinTime(dependency, timeoutMs, signal, async (ends) => {
      const seconds = Math.floor(clock() / 1000);
      const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
      const reply = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'x-ragmesh-signature': `t=${seconds},v1=${signature}` },
        body,
        redirect: 'manual',
        signal: ends,
      });
      await reply.body?.cancel();
      if (!reply.ok) throw new HttpFailure(reply.status, undefined, reply.headers);
    });
  return async (body, headers, signal) => {
    for (let attempt = 1; ; attempt++) {
      try {
        await post(body, headers, signal);
        return;
      } catch (error) {
        const mayRepeat = !(error instanceof HttpFailure) || error.status === 429 || error.status >= 500;
        if (error instanceof HttpFailure && (attempt >= attempts || !mayRepeat)) {
          throw unavailableHttp(dependency, `answered ${error.status}`, error);
        }
        if (attempt >= attempts) throw error;
        await sleep(Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1)), signal);
      }
    }
  };
}

/** Returns whether a text is an http or https address. */
export const isHttpUrl = (url: string): boolean => /^https?:\/\//.test(url) && URL.canParse(url);
