import { create } from '@bufbuild/protobuf';
import {
  AnswerOutcome,
  ClaimFaultSchema,
  type UnsupportedClaim,
  UnsupportedClaimSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type AskEvent, stageDegraded, stageFinished, stageSkipped } from '../answer/events.ts';
import type { AnswerState } from '../answer/state.ts';
import { checkClaims } from './claims.ts';
import { saysNothingFound } from './refusals.ts';

/** How an answer was written. */
export interface Written {
  /** The language that was asked for. */
  language: Language;
  /** Whether the model writes text of its own; quotations stay in the language of their document. */
  isGenerative: boolean;
}

/**
 * Compares an answer with its sources, before its end is sent and before the cache may store it. Returns the verdict and the stage,
 * with a degradation if a sentence fails. A model's own "the passages do not mention this" becomes a refusal.
 */
export function checkAnswer(state: AnswerState, { language, isGenerative }: Written): AskEvent[] {
  const { outcome, citations, text, passages, question, standalone } = state;
  if (outcome === AnswerOutcome.REFUSED) return [stageSkipped(Stage.VALIDATE)];
  const { unsupported, isWhole } = checkClaims({
    text,
    passages,
    questions: [question, standalone],
    language: isGenerative ? language : Language.UNSPECIFIED,
  });
  if (unsupported.length > 0) {
    const unsupportedClaims = unsupported.map((claim) => create(UnsupportedClaimSchema, claim));
    return [
      { case: 'verdict', value: { unsupportedClaims, isVerified: false } },
      stageDegraded(Stage.VALIDATE, summaryOf(unsupportedClaims), 'the sentences are marked'),
    ];
  }
  const isPart = outcome === AnswerOutcome.TRUNCATED || outcome === AnswerOutcome.FILTERED;
  if (isPart) return [stageSkipped(Stage.VALIDATE)];
  if (!isWhole) return [stageDegraded(Stage.VALIDATE, 'the answer is too long', 'only its beginning was verified')];
  if (citations.length > 0) {
    return [
      { case: 'verdict', value: { unsupportedClaims: [], isVerified: true } },
      stageFinished(Stage.VALIDATE, `${citations.length} cited`),
    ];
  }
  if (outcome === AnswerOutcome.ANSWERED && saysNothingFound(text)) {
    return [
      { case: 'outcome', value: AnswerOutcome.REFUSED },
      stageFinished(Stage.VALIDATE, 'the model found no answer'),
    ];
  }
  return [stageDegraded(Stage.VALIDATE, 'no marker names a source', 'answer has no citation')];
}

/** "UNSUPPORTED_FACT in 2 sentences, UNSUPPORTED_NEGATION in 1 sentence". */
function summaryOf(claims: readonly UnsupportedClaim[]): string {
  return [...Map.groupBy(claims, ({ fault }) => fault)]
    .map(([fault, { length }]) => {
      const name = `UNSUPPORTED_${enumName(ClaimFaultSchema, fault)}`;
      return `${name} in ${length} ${length === 1 ? 'sentence' : 'sentences'}`;
    })
    .join(', ');
}
