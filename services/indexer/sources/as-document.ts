import { stringify } from 'yaml';
import type { Content } from './source.ts';

/** A document of a source that has no files: an article, a row, a post. */
export interface Article {
  title: string;
  /** Address at which a person can read it; empty if there is none. */
  url: string;
  /** Time of its last change, ISO 8601; empty if it is not known. */
  updated: string;
  attributes?: Readonly<Record<string, string>>;
}

/** Returns an article of Markdown or plain text as a file. */
export function markdownContent({ title, url, updated, attributes = {} }: Article, text: string): Content {
  const matter = stringify({ title, ...(updated !== '' && { updated }) });
  return { bytes: Buffer.from(`---\n${matter}---\n\n${text}\n`), mediaType: 'text/markdown', url, attributes };
}

/** Returns an article of HTML as a file. `html`: what is in its body. */
export function htmlContent({ title, url, updated, attributes = {} }: Article, html: string): Content {
  const time = updated === '' ? '' : `<meta property="article:modified_time" content="${escapeHtml(updated)}">`;
  const head = `<meta charset="utf-8"><title>${escapeHtml(title)}</title>${time}`;
  // Without a heading of its own, the text would not have the title.
  const page = `<!doctype html><html><head>${head}</head><body><main><h1>${escapeHtml(title)}</h1>${html}</main></body></html>`;
  return { bytes: Buffer.from(page), mediaType: 'text/html; charset=utf-8', url, attributes };
}

/** Returns text that HTML shows as it is. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (char) => entities[char] ?? char);
}
