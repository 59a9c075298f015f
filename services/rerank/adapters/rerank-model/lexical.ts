import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { defineAdapter } from '#kit/adapters.ts';
import { candidateIdf, type LexicalCandidate, readCandidate, readQuery, scoreCandidate } from '../../lexical-score.ts';
import type { RerankBatch, RerankModel } from '../../rerank-model.ts';

/** Longest stretch of work before other calls get a turn, in milliseconds. */
const sliceMs = 4;
/** Scores in a batch. */
const batchSize = 256;

/**
 * The embedded default: scores by what question and passage share (words near each other, runs of words, title, exact codes and
 * numbers) on top of the score of the stage before. Scores are 0 to 1.
 */
export const adapter = defineAdapter({
  settings: {},
  create(): RerankModel {
    return {
      name: 'lexical',
      scale: ScoreScale.UNIT,
      maxCandidates: 1000,
      async *rerank(text, candidates, signal): AsyncIterable<RerankBatch> {
        const turn = createTurn(signal);
        const query = readQuery(text);
        const read: LexicalCandidate[] = [];
        for (const candidate of candidates) {
          await turn();
          read.push(readCandidate(query, candidate.text, candidate.title, candidate.prior ?? 0));
        }
        const idf = candidateIdf(read);
        for (let first = 0; first < read.length; first += batchSize) {
          const scores: RerankBatch['scores'] = [];
          for (const [offset, candidate] of read.slice(first, first + batchSize).entries()) {
            await turn();
            scores.push({ index: first + offset, score: scoreCandidate(query, candidate, idf) });
          }
          yield { scores };
        }
      },
      close: async () => {},
    };
  },
});

/** A function to await between pieces of work: it lets others run when a slice is over, and throws when nobody waits any more. */
function createTurn(signal: AbortSignal): () => Promise<void> | undefined {
  let sliceEnd = performance.now() + sliceMs;
  return () => {
    signal.throwIfAborted();
    if (performance.now() < sliceEnd) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        sliceEnd = performance.now() + sliceMs;
        resolve();
      });
    });
  };
}
