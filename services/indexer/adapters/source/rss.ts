import { createHash } from 'node:crypto';
import { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { HttpFailure } from '#kit/http/failure.ts';
import { escapeHtml, htmlContent } from '../../sources/as-document.ts';
import type { Entry, Source, SourceDeps } from '../../sources/source.ts';

const settings = {
  urls: z
    .array(z.string().min(1).max(2048))
    .min(1)
    .max(100)
    .describe('Addresses of feeds: RSS, Atom, RDF or JSON Feed'),
  timeout_ms: z.int().min(100).max(120_000).describe('Longest time for a feed').default(20_000),
};

const feedBytesMax = 16 << 20;
const idLengthMax = 1000;

/** A post of a feed, whatever its format. */
interface Post {
  id: string;
  title: string;
  url: string;
  updated: string;
  html: string;
}

/** Reads the posts of feeds. A feed has the newest posts only, so what it no longer has stays in the corpus. */
export const adapter = defineAdapter({
  settings,
  create({ urls, timeout_ms }, { http }: SourceDeps): Source {
    // What was listed last, so that a post needs no request of its own.
    let posts = new Map<string, Post>();
    const read = async (url: string, signal: AbortSignal): Promise<Post[]> => {
      const { status, headers, body } = await http.send({ url, timeoutMs: timeout_ms, maxBytes: feedBytesMax }, signal);
      if (status === 429) throw new HttpFailure(status, undefined, headers);
      if (status !== 200) throw unavailable('rss', `${url} answers with status ${status}`);
      const { parseFeed } = await import('feedsmith');
      try {
        return postsOf(parseFeed(new TextDecoder(charsetOf(headers, body)).decode(body)));
      } catch (error) {
        throw unavailable('rss', `${url} is no feed that can be read`, error);
      }
    };
    const list = async function* (signal: AbortSignal): AsyncIterable<Entry[]> {
      signal.throwIfAborted();
      posts = new Map();
      for (const url of urls) {
        const found = await read(url, signal);
        for (const post of found) posts.set(post.id, post);
        yield found.map((post) => ({ id: post.id, version: versionOf(post) }));
      }
    };
    return {
      listsAll: true,
      isWindow: true,
      async *changes(_, signal) {
        for await (const entries of list(signal)) yield { entries };
      },
      async *ids(signal) {
        for await (const entries of list(signal)) yield entries.map(({ id }) => id);
      },
      async fetch(id) {
        const post = posts.get(id);
        return post === undefined ? { kind: 'gone' } : { kind: 'content', content: htmlContent(post, post.html) };
      },
      close: async () => {},
    };
  },
});

type Feed = ReturnType<typeof import('feedsmith')['parseFeed']>;

function postsOf(feed: Feed): Post[] {
  switch (feed.format) {
    case 'rss':
      return (feed.feed.items ?? []).map((item) =>
        postOf(
          item.guid?.value ?? item.link,
          item.title,
          item.link,
          item.pubDate,
          item.content?.encoded ?? item.description,
        ),
      );
    case 'rdf':
      return (feed.feed.items ?? []).map((item) =>
        postOf(item.link, item.title, item.link, undefined, item.content?.encoded ?? item.description),
      );
    case 'atom':
      return (feed.feed.entries ?? []).map((entry) => {
        const link = entry.links?.find(({ rel }) => rel === undefined || rel === 'alternate') ?? entry.links?.[0];
        const text = entry.content ?? entry.summary;
        const html = text?.type === 'html' || text?.type === 'xhtml' ? text.value : escapeHtml(text?.value ?? '');
        return postOf(entry.id, entry.title?.value, link?.href, entry.updated ?? entry.published, html);
      });
    case 'json':
      return (feed.feed.items ?? []).map((item) => {
        const html = item.content_html ?? escapeHtml(item.content_text ?? item.summary ?? '');
        return postOf(item.id, item.title, item.url, item.date_modified ?? item.date_published, html);
      });
    default:
      return feed satisfies never;
  }
}

function postOf(id = '', title = '', url = '', updated: unknown = '', html = ''): Post {
  const key =
    id ||
    url ||
    createHash('sha256')
      .update(title + html)
      .digest('hex');
  const time = Date.parse(String(updated));
  const iso = Number.isNaN(time) ? '' : new Date(time).toISOString();
  return { id: key.slice(0, idLengthMax), title, url: /^https?:\/\//.test(url) ? url : '', updated: iso, html };
}

const versionOf = ({ title, url, updated, html }: Post) =>
  createHash('sha256')
    .update(JSON.stringify([title, url, updated, html]))
    .digest('hex')
    .slice(0, 32);

/** Returns the encoding of a feed: of its header, else of its declaration, else UTF-8. */
function charsetOf(headers: Headers, body: Uint8Array): string {
  const said = /charset=["']?([\w-]+)/i.exec(headers.get('content-type') ?? '')?.[1];
  const head = Buffer.from(body.subarray(0, 200)).toString('latin1');
  const name = said ?? /<\?xml[^>]*encoding=["']([\w-]+)/i.exec(head)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return 'utf-8';
  }
}
