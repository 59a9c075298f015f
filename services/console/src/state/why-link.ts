import type { Answer } from './ask.ts';
import { emptyLabQuery, linkToLab } from './lab-query.ts';

/** What a search of the lab needs of an answer. */
export type ReplayedAnswer = Pick<Answer, 'question' | 'standaloneQuestion'> & {
  /** Passages or citations, each with the version from which it was read. */
  sources: readonly { corpus: string; version: bigint; chunkId?: string; documentId?: string }[];
};

/** Returns the address at which the search of an answer runs again at the versions that it was made from. */
export function whyLink({ question, standaloneQuestion, sources }: ReplayedAnswer): string {
  const versions = new Map(
    sources.flatMap((source) => {
      const { corpus, version } = source;
      return corpus === '' || version === 0n || isCurated(source) ? [] : [[corpus, version] as const];
    }),
  );
  return linkToLab({
    question: standaloneQuestion || question,
    topK: Math.max(emptyLabQuery.topK, Math.min(100, sources.length)),
    versions: [...versions],
  });
}

/** Returns whether a source is a curated answer. Its version is its own, and none of a corpus. */
const isCurated = ({ chunkId, documentId }: ReplayedAnswer['sources'][number]) =>
  chunkId !== undefined && chunkId === documentId && chunkId.startsWith('curated/');
