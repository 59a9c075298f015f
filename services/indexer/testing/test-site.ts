import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** A page of a test site. */
export interface TestPage {
  body: string;
  /** @default text/html */
  type?: string;
  status?: number;
  headers?: Record<string, string>;
  /** Whether it has an ETag. @default true */
  hasEtag?: boolean;
  isZipped?: boolean;
}

/** A web site on loopback. */
export interface TestSite extends AsyncDisposable {
  /** "http://127.0.0.1:1234". */
  url: string;
  /** Pages by path; they may change while the site runs. */
  pages: Map<string, TestPage>;
  /** Requests, oldest first: path, status, and the user agent. */
  requests: { path: string; status: number; agent: string }[];
  /** Answers every request with this status, if it is set. */
  fails: number | undefined;
}

/** Starts a site that answers conditional requests as web servers do. */
export async function startTestSite(): Promise<TestSite> {
  const pages = new Map<string, TestPage>();
  const server = createServer((request, reply) => {
    const path = request.url ?? '/';
    const page: TestPage = pages.get(path) ?? { body: 'not found', status: 404 };
    const bytes = page.isZipped ? gzipSync(page.body) : Buffer.from(page.body);
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}"`;
    const isKnown = page.hasEtag !== false && request.headers['if-none-match'] === etag;
    const status = site.fails ?? (isKnown ? 304 : (page.status ?? 200));
    site.requests.push({ path, status, agent: request.headers['user-agent'] ?? '' });
    reply.writeHead(status, {
      'content-type': page.type ?? 'text/html; charset=utf-8',
      ...(page.hasEtag !== false && { etag }),
      ...page.headers,
    });
    reply.end(status === 304 ? undefined : bytes);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const site: TestSite = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pages,
    requests: [],
    fails: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return site;
}

/** Returns a page of HTML with links. */
export function htmlPage(text: string, links: readonly string[] = [], head = ''): TestPage {
  const list = links.map((href) => `<li><a href="${href}">${href}</a></li>`).join('');
  return {
    body: `<html><head><title>T</title>${head}</head><body><main><h1>${text}</h1><p>${text}</p><ul>${list}</ul></main></body></html>`,
  };
}
