import { z } from 'zod';
import { invalidArgument, unavailable } from '#kit/base/errors.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { GuardedReply } from '#kit/http/guard/guarded-http.ts';
import type { ChangePage, Entry, Fetched, Source, SourceDeps } from '../../../sources/source.ts';
import { type Listed, listPages } from './list-pages.ts';
import { isDirective, pageUrl, readPageHead } from './page.ts';
import { createSite } from './site.ts';

const paths = (meaning: string) => z.array(z.string().min(1).max(512)).max(200).describe(meaning).default([]);

const settings = {
  start_urls: z.array(z.string().min(1).max(1024)).min(1).max(50).describe('Addresses at which the site begins'),
  hosts: z.array(z.string().min(1).max(253)).max(50).describe('Hosts beside those of start_urls').default([]),
  sitemaps: paths('Sitemaps beside those that robots.txt names and /sitemap.xml'),
  crawl: z
    .enum(['auto', 'always', 'never'])
    .describe('Whether links are followed; auto: if there is no sitemap')
    .default('auto'),
  max_depth: z.int().min(0).max(50).describe('Links between a start address and a page').default(5),
  max_pages: z
    .int()
    .min(1)
    .max(500_000)
    .describe('Most pages; a listing that reaches it removes nothing')
    .default(10_000),
  include: paths('Beginnings of the paths of pages that are read. Empty: all'),
  exclude: paths('Beginnings of the paths of pages that are not read'),
  respect_robots: z
    .boolean()
    .describe('Whether robots.txt is followed; turn it off for a site of your own only')
    .default(true),
  user_agent: z.string().min(1).max(256).default('ragmesh'),
  authorization: secret().describe('Header "authorization" for the hosts of start_urls').default(''),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time for a page').default(20_000),
};

/** What pages of a site can be beside HTML. */
const mediaTypes = /^(?:text\/(?:html|plain|markdown|csv)|application\/(?:xhtml\+xml|pdf|json|msword|vnd\.[\w.+-]+))$/;

/** Reads the pages of web sites: those that sitemaps name, or that links lead to. The address of a page is its id. */
export const adapter = defineAdapter({
  settings,
  create(given, deps: SourceDeps): Source {
    const starts = given.start_urls.map((url) => {
      const page = pageUrl(url);
      if (page === undefined)
        throw invalidArgument(`settings.settings.start_urls: "${url}" is no http or https address`);
      return page;
    });
    const hosts = new Set([...starts.map((url) => new URL(url).host), ...given.hosts]);
    const isWanted = (url: string) => {
      const { host, pathname } = new URL(url);
      const begins = (path: string) => pathname.startsWith(path);
      return (
        hosts.has(host) && (given.include.length === 0 || given.include.some(begins)) && !given.exclude.some(begins)
      );
    };
    const site = createSite(given, deps);
    let listed: ReadonlyMap<string, Listed> = new Map();
    const pages = (signal: AbortSignal) => {
      const found = new Map<string, Listed>();
      listed = found;
      return listPages(
        { ...given, starts, isWanted, isFollowed: (url) => hosts.has(new URL(url).host) },
        site,
        found,
        signal,
      );
    };
    return {
      listsAll: true,
      changes: (_, signal) => pagesOf(pages(signal)),
      async *ids(signal) {
        for await (const { id } of pages(signal)) yield [id];
      },
      async fetch(id, validator, signal) {
        if (!isWanted(id) || !(await site.isAllowed(id, signal))) return { kind: 'gone' };
        // A page that was read for its links is not read again.
        const taken = listed.get(id)?.take();
        const reply = taken ?? (await site.get(id, signal, { headers: conditionOf(validator) }));
        return toFetched(id, reply, isWanted, (url) => listed.has(url));
      },
      close: async () => {},
    };
  },
});

/** Returns what a reply says of a page. `isListed`: whether a page is also read by itself. */
function toFetched(
  id: string,
  reply: GuardedReply,
  isWanted: (url: string) => boolean,
  isListed: (url: string) => boolean,
): Fetched {
  const { status, headers } = reply;
  if (status === 304) return { kind: 'unchanged' };
  if (status === 404 || status === 410) return { kind: 'gone' };
  if (status !== 200) throw unavailable(new URL(id).host, `${id} answers with status ${status}`);
  const type = headers.get('content-type') ?? '';
  const isRead = mediaTypes.test(type.split(';')[0]?.trim().toLowerCase() ?? '');
  if (!isRead || isDirective(headers.get('x-robots-tag') ?? '', 'noindex')) return { kind: 'gone' };
  const at = pageUrl(reply.url) ?? id;
  const head = /html/.test(type) ? readPageHead(reply.body) : undefined;
  const own = (head?.canonical ? pageUrl(head.canonical, at) : undefined) ?? at;
  // The same page under another address is read there.
  const isElsewhere = !isWanted(at) || (own !== id && isListed(own));
  if (head?.isNoIndex || isElsewhere) return { kind: 'gone' };
  const content = { bytes: reply.body, mediaType: type, url: isWanted(own) ? own : at, ...validatorOf(headers) };
  return { kind: 'content', content };
}

const pageMax = 100;

/** Yields entries in pages; those whose bytes are there already, one by one, so that they need not be kept. */
async function* pagesOf(entries: AsyncIterable<Entry & { isRead: boolean }>): AsyncIterable<ChangePage> {
  let page: Entry[] = [];
  for await (const { isRead, ...entry } of entries) {
    page.push(entry);
    if (!isRead && page.length < pageMax) continue;
    yield { entries: page };
    page = [];
  }
  if (page.length > 0) yield { entries: page };
}

const etagMark = 'etag:';
const timeMark = 'time:';

function validatorOf(headers: Headers): { validator?: string } {
  const etag = headers.get('etag');
  const time = headers.get('last-modified');
  if (etag !== null) return { validator: etagMark + etag };
  return time === null ? {} : { validator: timeMark + time };
}

function conditionOf(validator: string): Record<string, string> {
  if (validator.startsWith(etagMark)) return { 'if-none-match': validator.slice(etagMark.length) };
  return validator.startsWith(timeMark) ? { 'if-modified-since': validator.slice(timeMark.length) } : {};
}
