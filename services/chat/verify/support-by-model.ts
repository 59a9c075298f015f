import type { Client } from '@connectrpc/connect';
import { ClaimFault, SentenceSupport } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type RerankService, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { within } from '#kit/base/within.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { claimOf } from './sentences.ts';
import type { SentenceCheck, Verifier } from './verifier.ts';

/** The model that scores written sentences. */
export interface SupportModel {
  /** Its name in the rerank service. */
  readonly model: string;
  /** Longest wait for the score of a sentence, in milliseconds. */
  readonly timeoutMs: number;
  /** Lowest score of a supported sentence, 0 to 1. */
  readonly minScore: number;
}

/** Compares a sentence with the passages that its markers name, also by a model. */
export type ModelVerifier = (sentence: string, markers: readonly number[]) => Promise<SentenceCheck | undefined>;

/** What the comparison by a model needs. */
export interface ModelVerifierDeps {
  rerank: Pick<Client<typeof RerankService>, 'rerank'>;
  settings: SupportModel;
  passages: readonly Passage[];
  context: CallContext;
}

/** Longest part of a passage, and of a sentence, that the model reads, in UTF-16 code units. */
const maxPassage = 4000;
const maxClaim = 2000;

/**
 * Adds a model to the comparison without one: for a sentence with markers whose facts are right, the best score of its passages decides
 * in place of shared words. If the model fails, is late or is replaced by another one, the comparison of words stays; it is then not
 * asked again for this answer, so that an answer waits for a failing model once.
 */
export function createModelVerifier(verify: Verifier, deps: ModelVerifierDeps): ModelVerifier {
  const { minScore } = deps.settings;
  let isFailing = false;
  return async (sentence, markers) => {
    const check = verify(sentence, markers);
    if (check === undefined || isFailing || !isScored(check)) return check;
    const passages = markers.flatMap((marker) => deps.passages[marker - 1] ?? []);
    const score = await scoreOf(claimOf(sentence), passages, deps);
    deps.context.signal.throwIfAborted();
    if (score === undefined) {
      isFailing = true;
      return check;
    }
    return score < minScore
      ? { support: SentenceSupport.UNSUPPORTED, score, fault: ClaimFault.SUPPORT }
      : { support: SentenceSupport.SUPPORTED, score, fault: undefined };
  };
}

/** Whether the words of a sentence decided: its facts are right, it cites passages, and it is no quotation. */
const isScored = ({ support, fault, score }: SentenceCheck): boolean =>
  support !== SentenceSupport.UNCITED && (fault === undefined || fault === ClaimFault.SUPPORT) && score !== 1;

/** Returns the best score of the passages for a claim, 0 to 1; `undefined` if the model has none in time. */
async function scoreOf(
  claim: string,
  passages: readonly Passage[],
  { rerank, settings, context }: ModelVerifierDeps,
): Promise<number | undefined> {
  const { model, timeoutMs } = settings;
  const candidates = passages.map(({ text, title }) => ({
    text: text.slice(0, maxPassage),
    title: title.slice(0, maxPassage),
  }));
  const request = { query: claim.slice(0, maxClaim), candidates, model };
  try {
    return await within(
      async (signal) => {
        let best: number | undefined;
        for await (const { event } of rerank.rerank(request, context.forward({ timeoutMs, signal }))) {
          if (event.case === 'scored')
            best = Math.max(best ?? -Infinity, ...event.value.passages.map(({ score }) => score));
          if (event.case !== 'done') continue;
          // Another model has another scale.
          if (event.value.fallbackFrom !== '' || event.value.degradation !== undefined) return undefined;
          if (best !== undefined && event.value.scale === ScoreScale.LOGIT) best = 1 / (1 + Math.exp(-best));
        }
        return best;
      },
      { timeoutMs, signals: [context.signal] },
    );
  } catch {
    // The comparison of words remains; the caller's own end is thrown by createModelVerifier.
    return undefined;
  }
}
