import { createHash } from 'node:crypto';
import { ConnectError } from '@connectrpc/connect';
import { unavailable } from '#kit/base/errors.ts';
import type { GuardedReply } from '#kit/http/guard/guarded-http.ts';
import type { Entry } from '../../../sources/source.ts';
import { pageUrl, readPageHead } from './page.ts';
import type { Site } from './site.ts';
import { readSitemap, type Sitemap, sitemapBytesMax } from './sitemap.ts';

/** Which pages are listed. */
export interface ListSettings {
  starts: readonly string[];
  sitemaps: readonly string[];
  crawl: 'auto' | 'always' | 'never';
  max_depth: number;
  max_pages: number;
  /** Reports whether a page is read. */
  isWanted(url: string): boolean;
  /** Reports whether the links of a page may be followed. */
  isFollowed(url: string): boolean;
}

/** A page that was listed. */
export interface Listed {
  /** Returns the reply by which the page was listed, once; `undefined` if it was not read. */
  take(): GuardedReply | undefined;
}

const sitemapsMax = 1000;

/**
 * Yields every page, and records each in `found` before. Throws at the end if some page or sitemap could not be read, or if there are more
 * pages than allowed: the listing is then not complete.
 */
export async function* listPages(
  settings: ListSettings,
  site: Site,
  found: Map<string, Listed>,
  signal: AbortSignal,
): AsyncIterable<Entry & { isRead: boolean }> {
  const problems: string[] = [];
  let mapped = 0;
  for await (const page of listSitemaps(settings, site, signal)) {
    if (found.has(page.id)) continue;
    if (found.size >= settings.max_pages) throw tooMany(settings);
    found.set(page.id, { take: () => undefined });
    mapped++;
    yield { ...page, isRead: false };
  }
  if (settings.crawl === 'always' || (settings.crawl === 'auto' && mapped === 0)) {
    yield* crawl(settings, site, found, problems, signal);
  }
  const [first] = problems;
  if (first !== undefined)
    throw unavailable('web', `${problems.length} pages could not be listed; the first: ${first}`);
}

async function* listSitemaps(
  { starts, sitemaps, isWanted }: ListSettings,
  site: Site,
  signal: AbortSignal,
): AsyncIterable<Entry> {
  const named = new Set(sitemaps);
  for (const start of starts) for (const url of await site.sitemaps(start, signal)) named.add(url);
  const guessed = new Set(starts.map((start) => new URL('/sitemap.xml', start).href).filter((url) => !named.has(url)));
  const queue = [...named, ...guessed];
  const seen = new Set(queue);
  for (let index = 0; index < queue.length; index++) {
    const url = queue[index] as string;
    const sitemap = await readSitemapAt(url, guessed.has(url), site, signal);
    for (const inner of sitemap.sitemaps) {
      if (seen.has(inner)) continue;
      if (seen.size >= sitemapsMax) throw unavailable('web', `there are more than ${sitemapsMax} sitemaps`);
      seen.add(inner);
      queue.push(inner);
    }
    for (const { url: loc, lastmod } of sitemap.pages) {
      const id = pageUrl(loc);
      if (id !== undefined && isWanted(id) && (await site.isAllowed(id, signal))) yield { id, version: lastmod };
    }
  }
}

async function readSitemapAt(url: string, isGuessed: boolean, site: Site, signal: AbortSignal): Promise<Sitemap> {
  const reply = await site.get(url, signal, { maxBytes: sitemapBytesMax });
  if (isGuessed && reply.status >= 400) return { pages: [], sitemaps: [] };
  if (reply.status !== 200) throw unavailable('web', `the sitemap ${url} answers with status ${reply.status}`);
  try {
    return readSitemap(reply.body);
  } catch (error) {
    // A site may answer every address with a page of its own.
    if (isGuessed) return { pages: [], sitemaps: [] };
    throw unavailable('web', `the sitemap ${url} cannot be read: it is not complete, or no sitemap`, error);
  }
}

/** Follows links, breadth first. */
async function* crawl(
  settings: ListSettings,
  site: Site,
  found: Map<string, Listed>,
  problems: string[],
  signal: AbortSignal,
): AsyncIterable<Entry & { isRead: boolean }> {
  const { starts, isWanted, isFollowed, max_depth, max_pages } = settings;
  const seen = new Set(starts);
  let level: string[] = [...starts];
  for (let depth = 0; depth <= max_depth && level.length > 0; depth++) {
    const nextLevel: string[] = [];
    for (const url of level) {
      const reply = await readPage(url, settings, site, problems, signal);
      if (reply === undefined) continue;
      if (isWanted(url) && !found.has(url)) {
        if (found.size >= max_pages) throw tooMany(settings);
        const once = takeOnce(reply);
        found.set(url, once);
        yield { id: url, version: createHash('sha256').update(reply.body).digest('hex'), isRead: true };
        once.take();
      }
      for (const link of linksOf(reply)) {
        if (seen.has(link) || !isFollowed(link) || seen.size >= max_pages * 4) continue;
        seen.add(link);
        nextLevel.push(link);
      }
    }
    level = nextLevel;
  }
}

/** Keeps a reply until it is taken, or until the listing continues. */
function takeOnce(reply: GuardedReply): Listed {
  let kept: GuardedReply | undefined = reply;
  return {
    take() {
      const taken = kept;
      kept = undefined;
      return taken;
    },
  };
}

async function readPage(
  url: string,
  { isFollowed }: ListSettings,
  site: Site,
  problems: string[],
  signal: AbortSignal,
): Promise<GuardedReply | undefined> {
  try {
    if (!(await site.isAllowed(url, signal))) return undefined;
    const reply = await site.get(url, signal);
    if (reply.status === 200) return isFollowed(reply.url) ? reply : undefined;
    if (reply.status !== 404 && reply.status !== 410) problems.push(`${url} (status ${reply.status})`);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ConnectError)) throw error;
    problems.push(`${url} (${error.rawMessage})`);
    return undefined;
  }
}

function linksOf({ url, headers, body }: GuardedReply): string[] {
  if (!/html/.test(headers.get('content-type') ?? '')) return [];
  const { links, base, isNoFollow } = readPageHead(body);
  if (isNoFollow) return [];
  const from = base === '' ? url : (pageUrl(base, url) ?? url);
  return links.flatMap((href) => pageUrl(href, from) ?? []);
}

const tooMany = ({ max_pages }: ListSettings) =>
  unavailable('web', `the site has more than ${max_pages} pages: raise max_pages, or exclude some`);
