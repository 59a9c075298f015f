import { gunzipSync } from 'node:zlib';
import { SaxesParser } from 'saxes';

/** A page that a sitemap names. */
export interface SitemapPage {
  url: string;
  /** As the sitemap says; empty if it does not. */
  lastmod: string;
}

/** What a sitemap holds: pages, or other sitemaps. */
export interface Sitemap {
  pages: SitemapPage[];
  sitemaps: string[];
}

/** Largest sitemap, in bytes (https://www.sitemaps.org/protocol.html). */
export const sitemapBytesMax = 50 << 20;

/** Reads a sitemap or an index of sitemaps, also compressed. Throws if it is neither. */
export function readSitemap(bytes: Uint8Array): Sitemap {
  const isZipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const xml = isZipped ? gunzipSync(bytes, { maxOutputLength: sitemapBytesMax }) : bytes;
  const found: Sitemap = { pages: [], sitemaps: [] };
  const parser = new SaxesParser({ position: false });
  let root = '';
  let text = '';
  let page: SitemapPage = { url: '', lastmod: '' };
  const path: string[] = [];
  parser.on('opentag', ({ name }) => {
    root ||= localName(name);
    path.push(localName(name));
    text = '';
    if (path.length === 2) page = { url: '', lastmod: '' };
  });
  parser.on('text', (part) => {
    text += part;
  });
  parser.on('cdata', (part) => {
    text += part;
  });
  parser.on('closetag', () => {
    const name = path.pop();
    // Below: images and videos have locations of their own.
    if (path.length === 2 && name === 'loc') page.url = text.trim();
    if (path.length === 2 && name === 'lastmod') page.lastmod = text.trim();
    if (path.length !== 1 || page.url === '') return;
    if (name === 'url') found.pages.push(page);
    if (name === 'sitemap') found.sitemaps.push(page.url);
  });
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(new TextDecoder().decode(xml)).close();
  if (root !== 'urlset' && root !== 'sitemapindex') throw new Error('is no sitemap');
  return found;
}

const localName = (name: string) => name.slice(name.indexOf(':') + 1);
