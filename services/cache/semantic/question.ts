import { type Facts, factMark, factOf, readFacts } from '#kit/text/facts/read-facts.ts';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { contentOf, orderedContentOf } from './guards/content.ts';

import { latinWordsOf, namesOf } from './guards/names.ts';
import { negationsOf, sidesOf } from './guards/polarity.ts';
import { type QuestionType, questionTypesOf } from './guards/question-type.ts';

/** A question as guards and verifier read it. Made once a question. */
export interface Question {
  /** In normal form. */
  text: string;
  language: 'zh' | 'en' | 'und';
  facts: Facts;
  /** Content in order: Chinese characters, English stems, marks of facts. */
  content: readonly string[];
  /** Content with the function words that order turns on. */
  order: readonly string[];
  /** What it denies. */
  negations: readonly string[];
  /** Which side of each pair of opposites it is on. */
  sides: readonly number[];
  types: readonly QuestionType[];
  /** Names and quoted words. */
  names: readonly string[];
  /** Latin words. */
  latin: readonly string[];
}

/** Longest question that is compared, in characters; a longer one says too much for one answer to fit another. */
export const questionLengthMax = 400;

/** Reads a question. */
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
