import { create } from '@bufbuild/protobuf';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import {
  AnswerOutcome,
  ClaimFaultSchema,
  type UnsupportedClaim,
  UnsupportedClaimSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Metrics } from '#kit/base/metrics.ts';
import type { Course } from '../answer/course.ts';
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
 * Checks an answer against its sources before its end is sent and before the cache may store it. What fails is marked in the course, with
 * a degradation. A model's own "the passages do not mention this" becomes a refusal.
 */
export function validate(
  course: Course,
  { language, isGenerative }: Written,
  metrics: Pick<Metrics, 'unsupportedClaimTotal'>,
): AskResponse {
  const { outcome, citations, text, passages, question, standalone } = course;
  if (outcome === AnswerOutcome.REFUSED) return course.end(Stage.VALIDATE, StageStatus.SKIPPED);
  const { unsupported, isWhole } = checkClaims({
    text,
    passages,
    questions: [question, standalone],
    language: isGenerative ? language : Language.UNSPECIFIED,
  });
  if (unsupported.length > 0) {
    course.unsupportedClaims = unsupported.map((claim) => create(UnsupportedClaimSchema, claim));
    for (const { fault } of unsupported) metrics.unsupportedClaimTotal.inc({ fault: nameOf(fault) });
    return course.degrade(Stage.VALIDATE, summaryOf(course.unsupportedClaims), 'the sentences are marked');
  }
  const isPart = outcome === AnswerOutcome.TRUNCATED || outcome === AnswerOutcome.FILTERED;
  if (isPart) return course.end(Stage.VALIDATE, StageStatus.SKIPPED);
  if (!isWhole) return course.degrade(Stage.VALIDATE, 'the answer is too long', 'only its beginning was verified');
  if (citations.length > 0) {
    course.isVerified = true;
    return course.end(Stage.VALIDATE, StageStatus.FINISHED, `${citations.length} cited`);
  }
  if (outcome === AnswerOutcome.ANSWERED && saysNothingFound(text)) {
    course.outcome = AnswerOutcome.REFUSED;
    return course.end(Stage.VALIDATE, StageStatus.FINISHED, 'the model found no answer');
  }
  return course.degrade(Stage.VALIDATE, 'no marker names a source', 'answer has no citation');
}

/** "UNSUPPORTED_FACT in 2 sentences, UNSUPPORTED_NEGATION in 1 sentence". */
function summaryOf(claims: readonly UnsupportedClaim[]): string {
  return [...Map.groupBy(claims, ({ fault }) => fault)]
    .map(([fault, { length }]) => {
      const name = `UNSUPPORTED_${nameOf(fault).toUpperCase()}`;
      return `${name} in ${length} ${length === 1 ? 'sentence' : 'sentences'}`;
    })
    .join(', ');
}

const nameOf = (fault: UnsupportedClaim['fault']) => enumName(ClaimFaultSchema, fault).toLowerCase();
