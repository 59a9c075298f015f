import { invalidArgument } from '#kit/base/errors.ts';

/** A question to the web. */
export interface WebQuery {
  /** The caller's question, at most 400 characters: no engine accepts more. */
  text: string;
  /** `zh`, `en`, or empty: any. */
  language: string;
  /** Most results, 1 to 20. */
  limit: number;
}

/** A result of an engine. Nothing in it is trusted. */
export interface WebResult {
  title: string;
  url: string;
  /** The engine's excerpt of the page; may contain markup. */
  snippet: string;
}

/** A web search engine. */
export interface WebSearch {
  /** Returns results, best first; there may be fewer or more than `limit`. Rejects with an error that may cross a service. */
  search(query: WebQuery, signal: AbortSignal): Promise<WebResult[]>;
}

/** A passage from the web: untrusted plain text. It belongs to no tenant and no index. */
export interface WebPassage {
  /** `http:` or `https:`, without credentials or fragment, at most 2048 characters; unique in its list. */
  url: string;
  /** Plain text on one line, 1 to 300 characters. */
  title: string;
  /** Plain text on one line, 1 to 2000 characters. */
  text: string;
  /** The score by rank, 1 and below; the scores of engines are not comparable. */
  score: number;
}

const maxQuery = 400;
const maxLimit = 20;
const maxUrl = 2048;
const maxTitle = 300;
const maxText = 2000;

/** Characters of an engine's text that are read. */
const maxRaw = 10_000;

/** Results of an engine that are read. */
const maxResults = 100;

/**
 * Searches the web and returns at most `limit` passages, best first, each page once. Omits results without text or without a page that a
 * person could open. Rejects as the engine does, and when `signal` aborts.
 */
export async function searchWeb(
  engine: WebSearch,
  { text, language, limit }: WebQuery,
  signal: AbortSignal,
): Promise<WebPassage[]> {
  signal.throwIfAborted();
  const wanted = Math.min(limit, maxLimit);
  if (wanted < 1) throw invalidArgument('limit: must be at least 1');
  const question = cut(toPlainText(text), maxQuery);
  if (question === '') return [];
  const results = await engine.search({ text: question, language, limit: wanted }, signal);
  const passages = new Map<string, WebPassage>();
  for (const { title, url, snippet } of results.slice(0, maxResults)) {
    const page = toPageUrl(url);
    const plain = cut(toPlainText(snippet), maxText);
    if (page === undefined || plain === '' || passages.has(page.href) || passages.size >= wanted) continue;
    passages.set(page.href, {
      url: page.href,
      title: cut(toPlainText(title), maxTitle) || cut(page.hostname, maxTitle),
      text: plain,
      score: 1 / (passages.size + 1),
    });
  }
  return [...passages.values()];
}

/** Returns the address of a page that a browser may open; `undefined` for any other text. */
function toPageUrl(text: string): URL | undefined {
  if (text.length > maxUrl || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  if (url.username !== '' || url.password !== '' || url.hostname === '') return undefined;
  url.hash = '';
  return url.href.length > maxUrl ? undefined : url;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/**
 * Returns a text without markup, on one line, without invisible characters (zero width, direction, tags), which can hide instructions from a
 * person and break logs. Removes tags before it decodes entities, so that `&lt;b&gt;` stays text.
 */
export function toPlainText(text: string): string {
  return text
    .slice(0, maxRaw)
    .toWellFormed()
    .replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1\s*>/gi, ' ')
    .replace(/<\/?[a-z!][^<>]*>/gi, '')
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[(name as string).toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code).toWellFormed() : '';
    })
    .replace(/[\p{Zs}\p{Zl}\p{Zp}\p{Cc}]+/gu, ' ')
    .replace(/[\p{Cf}\p{Co}\p{Cn}]/gu, '')
    .trim();
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength
    ? text
    : text
        .slice(0, maxLength)
        .toWellFormed()
        .replace(/\ufffd$/, '')
        .trimEnd();
}
