import { createHash } from 'node:crypto';
import { unavailable } from '#kit/base/errors.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { PassageRecord } from '../catalog/passage-record.ts';
import { detectedLanguage } from '../convert.ts';
import type { Hit } from '../stores/index-row.ts';
import { searchWeb, type WebSearch } from '../stores/web-search.ts';

/** The result of the web leg: hits, and their passages, because the catalog does not have them. */
export interface WebHits {
  hits: Hit[];
  pages: Map<number, PassageRecord>;
}

/** Most pages of a search. */
const maxPages = 10;

/** The corpus id of pages from the web; no corpus has it. */
export const webCorpusId = -1;

/**
 * Searches the web. A page has a key below 0, which no chunk has, and an id that begins with `web:`. Only the question is sent to the
 * engine, never a document, a tenant or a user.
 */
export async function searchWebPages(
  engine: WebSearch | undefined,
  question: string,
  limit: number,
  signal: AbortSignal,
): Promise<WebHits> {
  if (engine === undefined) throw unavailable('web search', 'no web search is configured');
  const language = detectLanguage(question);
  const query = { text: question, language: language === 'und' ? '' : language, limit: Math.min(limit, maxPages) };
  const pages = new Map<number, PassageRecord>();
  const hits: Hit[] = [];
  for (const [index, { url, title, text, score }] of (await searchWeb(engine, query, signal)).entries()) {
    const id = `web:${createHash('sha256').update(url).digest('hex').slice(0, 32)}`;
    const key = -1 - index;
    hits.push({ key, chunkId: id, documentId: id, score });
    pages.set(key, {
      key,
      chunkId: id,
      documentId: id,
      ordinal: 0,
      language: detectedLanguage(text),
      startOffset: 0,
      endOffset: text.length,
      headingPath: [],
      text,
      title,
      url,
      corpusId: webCorpusId,
    });
  }
  return { hits, pages };
}
