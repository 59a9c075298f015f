import type { Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Questions that are suggested, passages that are read for them, and characters of a question. */
const maxSuggestions = 3;
const maxPassages = 8;
const shortest = 4;
const longest = 80;
/** Share of words that two questions have in common if they are the same question. */
const sameShare = 0.7;

/**
 * Returns questions that the found passages answer, the closest first: the questions of a FAQ as they are written, and headings with the
 * title of their document. Those of the answer itself and those that repeat the question are left out. Only the language of the question.
 */
export function suggestQuestions(
  question: string,
  passages: readonly Passage[],
  citations: readonly Pick<Citation, 'chunkId'>[],
): string[] {
  const language = detectLanguage(question);
  const cited = new Set(citations.map(({ chunkId }) => chunkId));
  const taken: Set<string>[] = [wordsOf(question)];
  for (const passage of passages) if (cited.has(passage.chunkId)) taken.push(wordsOf(headingOf(passage)));
  const chosen: string[] = [];
  const candidates = passages
    .slice(0, maxPassages)
    .flatMap((passage) => questionsOf(passage, cited.has(passage.chunkId)));
  for (const candidate of candidates) {
    if (chosen.length >= maxSuggestions) break;
    const words = wordsOf(candidate);
    const isNew = words.size > 0 && !taken.some((other) => overlap(words, other) >= sameShare);
    if (!isNew || detectLanguage(candidate) !== language) continue;
    taken.push(words);
    chosen.push(candidate);
  }
  return chosen;
}

function questionsOf(passage: Passage, isCited: boolean): string[] {
  const heading = passage.headingPath.at(-1) ?? '';
  const lines = [heading, ...passage.text.split('\n', 60)].map((line) =>
    line
      .replace(/^[\s#>*\-–•\d.、)）]*(?:Q\d*|问)?[:：.、\s]*/iu, '')
      .replaceAll('**', '')
      .trim(),
  );
  const asked = lines.filter((line) => /[?？]$/u.test(line) && isSized(line) && !/[。！；]|[.!;] /u.test(line));
  if (asked.length > 0 || isCited) return asked;
  const named = isSized(heading) && !passage.title.includes(heading) ? [withTitle(passage.title, heading)] : [];
  return named.filter(isSized);
}

const isSized = (line: string): boolean => line.length >= shortest && line.length <= longest;

function withTitle(title: string, heading: string): string {
  if (title === '' || heading.includes(title)) return heading;
  return /\p{sc=Han}/u.test(heading) ? `${title}：${heading}` : `${title}: ${heading}`;
}

const headingOf = ({ headingPath, title }: Passage): string => headingPath.at(-1) ?? title;
const wordsOf = (text: string): Set<string> =>
  new Set(tokenize(normalizeText(text, foldTraditional), { mode: 'query' }));

function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = [...a].filter((word) => b.has(word)).length;
  return shared / Math.max(1, Math.min(a.size, b.size));
}
