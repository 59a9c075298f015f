import { AnswerDefect } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';

/** Notices an answer that does not end by itself. */
export interface RunawayWatch {
  /** Takes text as the model writes it. */
  onText(text: string): void;
  /** Takes a whole sentence; returns whether it was said too often and must not be shown again. */
  onSentence(sentence: string): boolean;
  /** Why the generation must stop; `undefined` if it may continue. */
  defect(): AnswerDefect | undefined;
}

/** How often a sentence may be said; a later one is not shown, and the generation ends. */
const maxSaid = 2;
/** Shorter sentences ("Yes.", a row of dashes) may repeat. UTF-16 code units. */
const minLength = 12;
/** Sentences that are remembered. */
const maxSentences = 1000;
/** Counts of tokens differ between models: a limit applies with this factor, and at least this many tokens more. */
const tokenSlack = 1.5;
const minSlackTokens = 64;
/** Characters that are counted together. */
const batchLength = 1000;

/** Creates the watch over one answer of at most `maxTokens`. */
export function createRunawayWatch(maxTokens: number): RunawayWatch {
  const limitTokens = maxTokens * tokenSlack + minSlackTokens;
  const said = new Map<string, number>();
  let defect: AnswerDefect | undefined;
  let tokens = 0;
  let uncounted = '';
  return {
    onText(text) {
      uncounted += text;
      if (uncounted.length < batchLength) return;
      tokens += estimateTokens(uncounted);
      uncounted = '';
      if (tokens > limitTokens) defect ??= AnswerDefect.ENDLESS;
    },
    onSentence(sentence) {
      const key = sentence.replaceAll(/\[\d{1,3}\]|^\s*(?:[-*+]|\d{1,3}[.)、])\s+|\s+/g, '');
      if (key.length < minLength || said.size >= maxSentences) return false;
      const count = (said.get(key) ?? 0) + 1;
      said.set(key, count);
      if (count > maxSaid) defect ??= AnswerDefect.REPETITION;
      return count > maxSaid;
    },
    defect: () => defect,
  };
}
