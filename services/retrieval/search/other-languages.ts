import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { FusedHit } from './fuse.ts';

/** Candidates in the question's language, the best first, that show how much the keyword leg adds. */
const sampleSize = 10;

/** What is known of a search's candidates. */
export interface LanguageFacts {
  /** Keys of the candidates that another leg than the vector leg has found. */
  found: ReadonlySet<number>;
  /** Returns the language of a candidate that was read, else UNSPECIFIED. */
  languageOf(key: number): number;
  /** Language of the question. */
  question: Language;
}

/**
 * Returns fused hits, best first, in which passages of other languages than the question's are not behind because of their language. Keywords
 * cannot find them, so their fused score is that of the vector leg alone. Here it is what it would be if they were to the keyword leg as the
 * best passages in the question's language are. `parts`: what the vector leg adds to the fused scores.
 */
export function weighOtherLanguages(
  fused: readonly FusedHit[],
  parts: readonly FusedHit[],
  { found, languageOf, question }: LanguageFacts,
): FusedHit[] {
  const partOf = new Map(parts.map(({ key, score }) => [key, score]));
  const ratios = fused
    .flatMap(({ key, score }) => {
      const part = languageOf(key) === question ? (partOf.get(key) ?? 0) : 0;
      return part > 0 ? [score / part] : [];
    })
    .slice(0, sampleSize);
  if (ratios.length === 0) return [...fused];
  const ratio = ratios.reduce((sum, one) => sum + one, 0) / ratios.length;
  const isOther = (key: number) =>
    !found.has(key) && languageOf(key) !== Language.UNSPECIFIED && languageOf(key) !== question;
  return fused
    .map(({ key, score }) => ({ key, score: isOther(key) ? Math.min(1, score * ratio) : score }))
    .sort((a, b) => b.score - a.score || a.key - b.key);
}
