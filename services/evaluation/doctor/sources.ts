import type { Registry } from 'prom-client';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { readSamples, type Sample } from './samples.ts';

/** Metrics that were read. */
export interface Reading {
  /** Of all pages. */
  samples: Sample[];
  /** The pages, each with its host and port. */
  pages: { address: string; samples: Sample[] }[];
  /** Pages that were read. */
  count: number;
  /** Addresses of pages that could not be read. */
  unreachable: string[];
}

/** Reads the metrics of a mesh. */
export type ReadMetrics = (signal: AbortSignal) => Promise<Reading>;

/** What a reader works with. */
export interface SourceDeps {
  /** Pages of metrics; none: `ownUrl`. */
  urls: readonly string[];
  /** Page of this process, or of its group of workers; `undefined` if it has none. */
  ownUrl: string | undefined;
  /** Metrics of this process, if its page cannot be read. */
  registry: Registry;
  fetch: typeof globalThis.fetch;
  log: Logger;
}

const timeoutMs = 5000;
const maxPageBytes = 32 << 20;

/** Creates a reader. A page that cannot be read is reported, and the others are used. */
export function createReader({ urls, ownUrl, registry, fetch, log }: SourceDeps): ReadMetrics {
  const read = (url: string, signal: AbortSignal) =>
    within(
      async (ends) => {
        const reply = await fetch(url, { signal: ends, redirect: 'error', headers: { accept: 'text/plain' } });
        if (!reply.ok) throw new Error(`the page of metrics answers ${reply.status}`);
        return readSamples(await boundedText(reply));
      },
      { timeoutMs, signals: [signal] },
    );
  return async (signal) => {
    if (urls.length === 0) {
      const own = ownUrl === undefined ? undefined : await read(ownUrl, signal).catch(() => undefined);
      signal.throwIfAborted();
      const samples = own ?? readSamples(await registry.metrics());
      return { samples, pages: [{ address: hostOf(ownUrl), samples }], count: 1, unreachable: [] };
    }
    const unreachable: string[] = [];
    const pages = await Promise.all(
      urls.map(async (url) => {
        const samples = await read(url, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          log.warn({ event: 'metrics_page_unreadable', err: error }, 'page of metrics not readable');
          unreachable.push(withoutSecrets(url));
          return [];
        });
        return { address: hostOf(url), samples };
      }),
    );
    const samples = pages.flatMap((page) => page.samples);
    return { samples, pages, count: urls.length - unreachable.length, unreachable };
  };
}

async function boundedText(reply: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let sizeBytes = 0;
  for await (const chunk of reply.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxPageBytes) throw new Error(`the page of metrics is larger than ${maxPageBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** Returns the host and the port of a page; without a page, the process itself. */
function hostOf(url: string | undefined): string {
  return url === undefined ? 'this process' : new URL(url).host;
}

/** Returns an address without user, password and query. */
function withoutSecrets(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
