import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { ownTurn } from '#kit/base/own-turn.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { RerankBatch, RerankModel, RerankModelDeps } from '../../../models/rerank-model.ts';
import { candidateIdf, foreignRatio, readCandidate, readQuery, scoreCandidate } from './score.ts';
import { createLexicalTexts, type LexicalText } from './text.ts';
import { warmUp } from './warm-up.ts';

/** Longest stretch of work before other calls get a turn, in milliseconds. */
const sliceMs = 2;
/** Memory for texts that were read, in bytes. */
const maxTextBytes = 64 * 1024 * 1024;
/** Scores in a batch. */
const batchSize = 256;

/**
 * The embedded default: scores by what question and passage share (words near each other, runs of words, title, exact codes and
 * numbers) on top of the score of the stage before. Scores are 0 to 1.
 */
export const adapter = defineAdapter({
  settings: {},
  async create(_settings: object, _deps: RerankModelDeps): Promise<RerankModel> {
    await warmUp(createLexical());
    return createLexical();
  },
});

function createLexical(): RerankModel {
  let latest = createLexicalTexts(maxTextBytes);
  return {
    name: 'lexical',
    scale: ScoreScale.UNIT,
    maxCandidates: 1000,
    async *rerank(text, candidates, signal): AsyncIterable<RerankBatch> {
      await ownTurn('next');
      const turn = createTurn(signal);
      if (latest.isFull()) latest = createLexicalTexts(maxTextBytes);
      const texts = latest;
      const query = readQuery(text);
      const lexical: LexicalText[] = [];
      for (const candidate of candidates) {
        await turn();
        lexical.push(texts.read(candidate.title, candidate.text));
      }
      const tokenOf = new Map<number, string>();
      for (const token of query.positions.keys()) {
        const number = texts.numberOf(token);
        if (number !== undefined) tokenOf.set(number, token);
      }
      const read = lexical.map((known, index) => readCandidate(query, tokenOf, known, candidates[index]?.prior ?? 0));
      const idf = candidateIdf(query, read);
      const ratio = foreignRatio(query, read, idf);
      for (let first = 0; first < read.length; first += batchSize) {
        const scores: RerankBatch['scores'] = [];
        for (const [offset, candidate] of read.slice(first, first + batchSize).entries()) {
          await turn();
          const scored = scoreCandidate(query, candidate, idf);
          if (candidate.isForeign) scored.score = Math.min(1, candidate.prior * ratio);
          scores.push({ index: first + offset, ...scored });
        }
        yield { scores };
      }
    },
    close: async () => {},
  };
}

/** Returns a function to await between pieces of work: it yields to other calls when a slice is over, and throws when the signal aborts. */
function createTurn(signal: AbortSignal): () => Promise<void> | undefined {
  let sliceEnd = performance.now() + sliceMs;
  return () => {
    signal.throwIfAborted();
    if (performance.now() < sliceEnd) return undefined;
    return ownTurn().then(() => {
      sliceEnd = performance.now() + sliceMs;
    });
  };
}
