import { hasNegative, withoutNegatives } from '#kit/text/facts/negation.ts';
import { detectLanguage, type Language } from '#kit/text/language.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Share of the claim's words that a sentence of a passage must have before the two are compared. */
const minOverlap = 0.75;
/** The same for the words of a question that is answered by yes or no. */
const minQuestionOverlap = 0.6;
/** Share that the sentence itself must have; headings may name the rest. */
const minOwnShare = 0.6;
/** Fewer words than this can be about anything. */
const minWords = 3;
/** Words that deny without a negative, or in part: 免息, "only", "unless". A sentence with one is not judged. */
const limits = /免|仅|只|除|停|禁|失效|拒|(?<![a-z])(?:unless|only|except|free|avoid|refus|exclud|lack|expire|void)/;
/** Words of permission, which are on both sides of a denial. */
const modals = /可以|能够|允许|[可能会也都是的了]|(?<![a-z])(?:can|may|might|could|possible|allowed|able)(?![a-z])/g;
/** Words of an answer that is only yes or no. */
const bareWords =
  /(?<![a-z])(?:yes|no|never|sorry|you|it|can|cannot|is|are|not|do|does|that|we|at all)(?![a-z])|[可以能行会的吗呢吧啊您是抱歉对]|[\p{P}\s]/gu;

/** A passage in normal form, with its title and headings as Markdown headings. */
export interface StatedPassage {
  text(): string;
  sentences(): readonly StatedSentence[];
}

/** A sentence of a passage, read once for every claim. */
export interface StatedSentence {
  text: string;
  isDenied(): boolean;
  language(): Language;
}

/**
 * Returns whether a claim denies what the passages state, or states what they deny. All texts are in normal form. Judges only clear
 * cases: the same language, and a sentence of a passage with nearly all words of the claim. A bare "no" is read with the words of the question.
 */
export function contradicts(claim: string, passages: readonly StatedPassage[], question: string): boolean {
  if (limits.test(claim)) return false;
  const isDenied = hasNegative(claim);
  const rest = withoutNegatives(claim);
  if (!isDenied || rest.replace(bareWords, '') !== '') {
    return isContradicted({ words: wordsOf(rest), isDenied, like: claim, overlap: minOverlap }, passages);
  }
  // A negative in the question reverses the meaning of its answer.
  if (hasNegative(question)) return false;
  return isContradicted({ words: wordsOf(question), isDenied, like: question, overlap: minQuestionOverlap }, passages);
}

interface Stated {
  words: readonly string[];
  isDenied: boolean;
  /** A text in its language. */
  like: string;
  overlap: number;
}

function isContradicted({ words, isDenied, like, overlap }: Stated, passages: readonly StatedPassage[]): boolean {
  if (words.length < minWords) return false;
  const language = detectLanguage(like);
  let isFound = false;
  for (const passage of passages) {
    // Most passages do not have the words at all, and need no split.
    if (shareOf(words, passage.text()) < overlap) continue;
    const sentences = passage.sentences();
    const headings = sentences.map(({ text }) => text).filter((text) => text.startsWith('#'));
    const context = headings.join('\n');
    for (const sentence of sentences) {
      const { text } = sentence;
      const isLead = /[:：]$/.test(text) || text.startsWith('#');
      // "Not covered:" denies the items below it.
      if (isLead && isDenied && sentence.isDenied()) return false;
      if (shareOf(words, text) < minOwnShare || shareOf(words, context + text) < overlap) continue;
      if (sentence.isDenied() === isDenied || limits.test(text)) return false;
      isFound ||= sentence.language() === language;
    }
  }
  return isFound;
}

function shareOf(words: readonly string[], text: string): number {
  return words.filter((word) => text.includes(word)).length / words.length;
}

/** Bigrams and stems, as they occur in a text: Porter writes the stem of "policy" as "polici". */
const wordsOf = (text: string): string[] =>
  [...new Set(tokenize(text.replace(modals, ' '), { mode: 'query' }))].map((word) =>
    /^[a-z]{4,}i$/.test(word) ? word.slice(0, -1) : word,
  );
