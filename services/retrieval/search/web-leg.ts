import { createHash } from 'node:crypto';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { PassageRecord } from '../catalog/documents.ts';
import type { Hit } from '../stores/index-row.ts';
import { searchWeb, type WebSearch } from '../stores/web-search.ts';

/** What the web leg found: hits, and the passages behind them, since no catalog has them. */
export interface WebHits {
  hits: Hit[];
  pages: Map<number, PassageRecord>;
}

/** Pages that are asked for. */
const maxPages = 10;

/** A number that no corpus has. */
export const webCorpusId = -1;

/**
 * Searches the web. A page has a key below 0, where no chunk of an index is, and an id that begins with `web:`. Only the question
 * leaves the house, never a document, a tenant or a user.
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
      language: languageOf(text),
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

function languageOf(text: string): Language {
  switch (detectLanguage(text)) {
    case 'zh':
      return Language.ZH;
    case 'en':
      return Language.EN;
    default:
      return Language.UNSPECIFIED;
  }
}
