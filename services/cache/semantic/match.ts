import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { cosineOf } from './features.ts';
import { refusalOf, type VectorKind } from './guards/guards.ts';
import { type Question, readQuestion } from './question.ts';
import type { SemanticCandidate } from './semantic-store.ts';
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
    vector: Float32Array,
    candidate: SemanticCandidate,
  ): { score: number | undefined; refusedBy: string | undefined };
  vocabulary: Vocabulary;
  kind: VectorKind;
  timeoutMs: number;
  log: Logger;
}

/** Creates the comparison of a question with given others; the best of those that may be answered alike. */
export function createMatch({ isOff, isCovered, embed, consider, vocabulary, kind, timeoutMs, log }: MatchParts) {
  async function best(text: string, candidates: readonly string[], signal: AbortSignal) {
    const question = readQuestion(text);
    // Guards cost nothing, embeddings do.
    const admitted = candidates.flatMap((candidate, index) =>
      refusalOf(question, readQuestion(candidate), vocabulary, kind) === undefined ? [{ candidate, index }] : [],
    );
    if (admitted.length === 0) return undefined;
    const texts = [text, ...admitted.map(({ candidate }) => candidate)];
    const [own, ...others] = await Promise.all(texts.map((each) => embed(each, signal)));
    let found: { index: number; score: number } | undefined;
    for (const [place, { candidate, index }] of admitted.entries()) {
      const other = others[place];
      if (own === undefined || other === undefined) continue;
      const near = { key: String(index), question: candidate, similarity: cosineOf(own, other), vector: other };
      const { refusedBy, score = 0 } = consider(question, own, near);
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
