import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { refusalOf } from './guards/guards.ts';
import { type Question, readQuestion } from './question.ts';
import type { Vocabulary } from './vocabulary.ts';

/** What the comparison of questions shares with the layer. */
export interface MatchParts {
  isOff(): boolean;
  isCovered(question: Question): boolean;
  /** Returns the vector of a question; `undefined` if its model is not the calibrated one. */
  embed(question: string, signal: AbortSignal): Promise<Float32Array | undefined>;
  /** Judges a candidate by guards, verifier and threshold. */
  consider(
    question: Question,
    candidate: { key: string; question: string; similarity: number },
  ): { score: number | undefined; refusedBy: string | undefined };
  vocabulary: Vocabulary;
  timeoutMs: number;
  log: Logger;
}

/** Creates the comparison of a question with given others; the best of those that may be answered alike. */
export function createMatch({ isOff, isCovered, embed, consider, vocabulary, timeoutMs, log }: MatchParts) {
  async function best(text: string, candidates: readonly string[], signal: AbortSignal) {
    const question = readQuestion(text);
    // Guards cost nothing, embeddings do.
    const admitted = candidates.flatMap((candidate, index) =>
      refusalOf(question, readQuestion(candidate), vocabulary) === undefined ? [{ candidate, index }] : [],
    );
    if (admitted.length === 0) return undefined;
    const texts = [text, ...admitted.map(({ candidate }) => candidate)];
    const [own, ...others] = await Promise.all(texts.map((each) => embed(each, signal)));
    let found: { index: number; score: number } | undefined;
    for (const [place, { candidate, index }] of admitted.entries()) {
      const other = others[place];
      if (own === undefined || other === undefined) continue;
      const { refusedBy, score = 0 } = consider(question, {
        ...{ key: String(index), question: candidate, similarity: cosine(own, other) },
      });
      if (refusedBy === undefined && score > (found?.score ?? 0)) found = { index, score };
    }
    return found;
  }

  return async (question: string, candidates: readonly string[], signal: AbortSignal) => {
    signal.throwIfAborted();
    if (isOff() || !isCovered(readQuestion(question))) return undefined;
    try {
      return await within((running) => best(question, candidates, running), { timeoutMs, signals: [signal] });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      log.warn({ event: 'semantic_match_failed', err: error }, 'questions not compared');
      return undefined;
    }
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, left, right] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const [x, y] = [a[index] as number, b[index] as number];
    dot += x * y;
    left += x * x;
    right += y * y;
  }
  return left === 0 || right === 0 ? 0 : dot / Math.sqrt(left * right);
}
