import { invalidArgument } from '#kit/base/errors.ts';

/** A question to the web. */
export interface WebQuery {
  /** What the caller wrote, at most 400 characters: longer ones no engine takes. */
  text: string;
  /** `zh`, `en`, or empty: any. */
  language: string;
  /** Results wanted, 1 to 20. */
  limit: number;
}

/** A result as an engine gives it; nothing in it is trusted. */
export interface WebResult {
  title: string;
  url: string;
  /** What the engine shows of the page; may hold markup. */
  snippet: string;
}

/** A web search engine. */
export interface WebSearch {
  /** Results, best first; fewer than asked for, or more. Rejects with an error that may cross a service. */
  search(query: WebQuery, signal: AbortSignal): Promise<WebResult[]>;
}

/** A passage from the web: plain text that a stranger wrote. It belongs to no tenant and to no index. */
export interface WebPassage {
  /** `http:` or `https:`, without credentials or fragment, at most 2048 characters; unique in its list. */
  url: string;
  /** Plain text on one line, 1 to 300 characters. */
  title: string;
  /** Plain text on one line, 1 to 2000 characters. */
  text: string;
  /** By place, 1 and below; engines' own scores do not compare. */
  score: number;
}

const maxQuery = 400;
const maxLimit = 20;
const maxUrl = 2048;
const maxTitle = 300;
const maxText = 2000;

/** Characters of an engine's text that are looked at. */
const maxRaw = 10_000;

/** Results of an engine that are looked at. */
const maxResults = 100;

/**
 * Searches the web: the engine's results as passages, best first, at most `limit`. What has no page that a person could
 * open, or no text, is left out; each page comes once. Rejects as the engine does, and when `signal` aborts.
 */
export async function searchWeb(
  engine: WebSearch,
  { text, language, limit }: WebQuery,
  signal: AbortSignal,
): Promise<WebPassage[]> {
  signal.throwIfAborted();
  const wanted = Math.min(limit, maxLimit);
  if (wanted < 1) throw invalidArgument('limit: at least one result must be wanted');
  const asked = cut(toPlainText(text), maxQuery);
  if (asked === '') return [];
  const results = await engine.search({ text: asked, language, limit: wanted }, signal);
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

/** The address of a page that a browser may open; `undefined` for anything else. */
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
 * A text without markup, on one line, without characters that nobody sees: those hide instructions from a person who
 * reads along (zero width, direction, tags), and break logs. Tags go before entities, so that `&lt;b&gt;` stays text.
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
