import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Document } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Corpus } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Api } from '../api.ts';
import type { PageLanguage } from '../i18n/index.ts';

/** The corpora, models and some documents that the user may see. */
export interface Overview {
  corpora: readonly Corpus[];
  models: readonly Model[];
  /** Some documents, for first questions. */
  documents: readonly Document[];
}

/** Number of corpora from which documents are read. */
const corpusLimit = 4;
/** Number of documents that are read from a corpus. */
const documentLimit = 60;

/** Fetches the overview of what the caller may see. */
export async function fetchOverview(api: Api, signal: AbortSignal): Promise<Overview> {
  const [{ corpora }, { models }] = await Promise.all([
    api.retrieval.listCorpora({}, { signal }),
    api.models.listModels({}, { signal }),
  ]);
  const full = corpora.filter(({ documentCount }) => documentCount > 0n).slice(0, corpusLimit);
  const pages = await Promise.all(
    full.map(({ name }) => api.indexer.listDocuments({ corpus: name, pageSize: documentLimit }, { signal })),
  );
  return { corpora, models, documents: pages.flatMap(({ documents }) => documents) };
}

/**
 * Returns titles for first questions, in the page's language if there are any, spread over the documents. Titles that are
 * questions come first.
 */
export function chooseTitles(documents: readonly Document[], language: PageLanguage, count: number): string[] {
  const wanted = language === 'zh' ? Language.ZH : Language.EN;
  const own = documents.filter((document) => document.language === wanted);
  const short = (own.length > 0 ? own : documents).map(({ title }) => title.trim());
  const titles = [...new Set(short)].filter((title) => title.length >= 2 && title.length <= 48);
  const questions = titles.filter(isQuestion);
  const others = titles.filter((title) => !isQuestion(title));
  const chosen = spread(questions, count);
  return [...chosen, ...spread(others, count - chosen.length)];
}

/** Reports whether a title is a question. */
export function isQuestion(title: string): boolean {
  return /[?？]$/.test(title);
}

function spread(titles: readonly string[], count: number): string[] {
  const step = Math.max(1, titles.length / count);
  return Array.from({ length: Math.min(count, titles.length) }, (_, index) => titles[Math.floor(index * step)] ?? '');
}
