import { type Facts, factMark, factOf, readFacts } from '#kit/text/facts/read-facts.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { contentOf, orderedContentOf } from './guards/content.ts';

import { latinWordsOf, namesOf } from './guards/names.ts';
import { negationsOf, sidesOf } from './guards/polarity.ts';
import { type QuestionType, questionTypesOf } from './guards/question-type.ts';

/** A question as guards and verifier read it. */
export interface Question {
  /** In normal form. */
  text: string;
  language: 'zh' | 'en' | 'und';
  facts: Facts;
  /** Content in order: Chinese characters, English stems, marks of facts. */
  content: readonly string[];
  /** Content with the function words that make order matter. */
  order: readonly string[];
  /** What it denies. */
  negations: readonly string[];
  /** Its side of each pair of opposites: 0 none, 1, 2, or 3 both. */
  sides: readonly number[];
  types: readonly QuestionType[];
  /** Names and quoted words. */
  names: readonly string[];
  /** Latin words. */
  latin: readonly string[];
}

/** Longest question that is compared, in characters; a longer one has too many details to share an answer. */
export const questionLengthMax = 400;

/** Returns a question as guards and verifier read it. */
export function readQuestion(raw: string): Question {
  const text = normalizeText(raw, foldTraditional);
  const language = detectLanguage(raw);
  const facts = readFacts(text);
  const named = (atoms: string[]) =>
    atoms.map((atom) => (atom.startsWith(factMark) ? `#${factOf(atom, facts)}` : atom));
  return {
    text,
    language,
    facts,
    content: named(contentOf(facts.rest)),
    order: named(orderedContentOf(facts.rest)),
    negations: negationsOf(text),
    sides: sidesOf(text),
    types: questionTypesOf(text, language === 'zh' ? 'zh' : 'en'),
    names: namesOf(raw.normalize('NFKC')),
    latin: latinWordsOf(facts.rest),
  };
}
