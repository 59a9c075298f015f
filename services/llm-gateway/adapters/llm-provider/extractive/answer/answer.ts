import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type ReadPassageText, readPassageText } from '../passage/passage-texts.ts';
import { type Question, readQuestions } from '../question/question.ts';
import { type Evidence, readEvidence, readPassages } from '../rank/evidence.ts';
import { trainedWeights, type Weights } from '../rank/model.ts';
import { chooseQuotations } from './choose.ts';
import { compareRows } from './compare.ts';
import { type Quotation, textOf } from './quotation.ts';
import { writeOut } from './write-out.ts';

/** An answer that quotes the evidence, or a refusal. */
export interface ExtractiveAnswer {
  isRefusal: boolean;
  /** The text of the answer, in pieces to send one after another. */
  pieces: readonly string[];
}

const refusals = {
  zh: '现有资料中没有找到能回答这个问题的内容。',
  en: 'The available documents do not answer this question.',
} as const;

/** Said of one of several questions of a message that has no answer. */
const missing = {
  zh: (question: string) => `另外，资料中没有找到：${question}`,
  en: (question: string) => `The documents do not answer: ${question}`,
} as const;

/**
 * Answers the questions of a message with quotations of the evidence. Each ends with its marker [n], the n-th passage from 1. `readText`
 * may know passages from earlier questions.
 */
export function answerByQuoting(
  text: string,
  evidence: readonly Passage[],
  language?: 'zh' | 'en',
  readText: ReadPassageText = readPassageText,
  weights: Weights = trainedWeights,
): ExtractiveAnswer {
  const questions = readQuestions(text, language);
  const read = readPassages(evidence, readText);
  const quoted = new Set<string>();
  const pieces: string[] = [];
  const unanswered: string[] = [];
  const evidences = questions.map((question) => readEvidence(question, read));
  const compared = compareRows(evidences);
  // The usual words for a matter are not those of every document: "Shipping takes three days" has nothing of a transit time.
  const chosenFor = (formal: Evidence): Quotation[] => {
    const chosen = chooseQuotations(formal, weights);
    if (chosen.length > 0) return chosen;
    for (const reading of formal.question.otherwise) {
      const other = chooseQuotations(readEvidence(reading(), read), weights);
      if (other.length > 0) return other;
    }
    return [];
  };
  for (const evidence of evidences) {
    const { question } = evidence;
    const row = compared.get(question);
    const quotations = row === undefined ? chosenFor(evidence) : [row];
    if (quotations.length === 0) unanswered.push(question.text);
    const fresh = quotations.filter((quotation) => !quoted.has(keyOf(quotation, question)));
    for (const quotation of fresh) quoted.add(keyOf(quotation, question));
    pieces.push(...writeOut(question, fresh, pieces.length > 0));
  }
  const said = questions[0]?.language ?? 'en';
  if (pieces.length === 0) return { isRefusal: true, pieces: [refusals[said]] };
  for (const question of unanswered) pieces.push(`\n${missing[said](question)}`);
  return { isRefusal: false, pieces };
}

/** Names what a quotation shows to a question: another column of the same row is another quotation. */
const keyOf = ({ candidates }: Quotation, question: Question): string =>
  candidates.map((one) => `${one.source.rank}.${one.index} ${textOf(one, question)}`).join('\n');
