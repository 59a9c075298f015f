import { clone } from '@bufbuild/protobuf';
import { type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { CountTokens } from './token-counters.ts';

/** A sentence of a passage that may be kept. */
interface Candidate {
  passageIndex: number;
  sentenceIndex: number;
  value: number;
}

interface ReadPassage {
  passage: Passage;
  sentences: { start: number; end: number; tokens: number; words: ReadonlySet<string> }[];
  kept: Set<number>;
}

/** How much a sentence of the passage at place n gives way to an equal one of the best: 1 + n times this. */
const rankStep = 0.1;
/** Worth of a sentence without a word of the question, so that the best passages are completed last. */
const plainValue = 0.02;
const maxSentences = 4000;
/** What is between sentences that were not together. */
const gap = ' … ';

/**
 * Returns passages shortened by sentence to `budgetTokens`: sentences with rare words of the question first, each with the heading or lead
 * that says what it is an item of, those of better passages before equal ones. A passage of which nothing is kept is left out; the order
 * stays. `headTokens` returns what a passage costs besides its text.
 */
export function compressPassages(
  passages: readonly Passage[],
  question: string,
  budgetTokens: number,
  headTokens: (passage: Passage) => number,
  count: CountTokens = estimateTokens,
): Passage[] {
  const read = passages.map((passage) => readPassage(passage, count));
  const gapTokens = count(gap);
  let left = budgetTokens;
  for (const { passageIndex, sentenceIndex } of rankSentences(read, question)) {
    const { passage, sentences, kept } = read[passageIndex] as ReadPassage;
    const added = withLead(passage, sentences, sentenceIndex).filter((index) => !kept.has(index));
    const first = kept.size === 0 ? headTokens(passage) : 0;
    const cost = added.reduce((sum, index) => sum + (sentences[index]?.tokens ?? 0) + gapTokens, first);
    if (added.length === 0 || cost > left) continue;
    left -= cost;
    for (const index of added) kept.add(index);
  }
  return read.filter(({ kept }) => kept.size > 0).map(keptOf);
}

function readPassage(passage: Passage, count: CountTokens): ReadPassage {
  const { text } = passage;
  const sentences = splitSentences(text).map(({ start, end }) => {
    const sentence = text.slice(start, end);
    return { start, end, tokens: count(sentence), words: new Set(tokenize(sentence, { mode: 'index' })) };
  });
  return { passage, sentences: sentences.slice(0, maxSentences), kept: new Set() };
}

function rankSentences(read: readonly ReadPassage[], question: string): Candidate[] {
  const words = [...new Set(tokenize(question, { mode: 'query' }))];
  const all = read.flatMap(({ sentences }) => sentences);
  const weights = words.map((word) => {
    const count = all.filter(({ words: own }) => own.has(word)).length;
    return Math.log(1 + all.length / (count + 1));
  });
  const candidates = read.flatMap(({ sentences }, passageIndex) =>
    sentences.map((sentence, sentenceIndex): Candidate => {
      const shared = words.reduce(
        (sum, word, index) => sum + (sentence.words.has(word) ? (weights[index] ?? 0) : 0),
        0,
      );
      return { passageIndex, sentenceIndex, value: (plainValue + shared) / (1 + rankStep * passageIndex) };
    }),
  );
  return candidates.sort(
    (a, b) => b.value - a.value || a.passageIndex - b.passageIndex || a.sentenceIndex - b.sentenceIndex,
  );
}

/** Returns a sentence with the nearest heading or lead before it: "Not covered:" is a part of its items. */
function withLead(passage: Passage, sentences: ReadPassage['sentences'], index: number): number[] {
  for (let before = index - 1; before >= 0; before--) {
    const { start, end } = sentences[before] as { start: number; end: number };
    const text = passage.text.slice(start, end);
    if (/^#{1,6}\s/.test(text) || /[:：]["”*_]*$/.test(text)) return [before, index];
    // A paragraph ends a list.
    if (/\n\s*\n/.test(passage.text.slice(end, sentences[before + 1]?.start))) break;
  }
  return [index];
}

function keptOf({ passage, sentences, kept }: ReadPassage): Passage {
  if (kept.size === sentences.length) return passage;
  let text = '';
  let last = -1;
  for (const index of [...kept].sort((a, b) => a - b)) {
    const { start, end } = sentences[index] as { start: number; end: number };
    const between = last === index - 1 && last >= 0 ? passage.text.slice(sentences[last]?.end, start) : gap;
    text += (index === 0 ? '' : between) + passage.text.slice(start, end);
    last = index;
  }
  const shortened = clone(PassageSchema, passage);
  shortened.text = last === sentences.length - 1 ? text.trimStart() : `${text}${gap}`.trim();
  return shortened;
}
