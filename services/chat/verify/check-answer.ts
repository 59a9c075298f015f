import { create } from '@bufbuild/protobuf';
import {
  AnswerDefect,
  AnswerDefectSchema,
  AnswerOutcome,
  ClaimFault,
  ClaimFaultSchema,
  SentenceAction,
  type UnsupportedClaim,
  UnsupportedClaimSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type AskEvent, stageDegraded, stageFinished, stageSkipped } from '../answer/events.ts';
import type { AnswerState } from '../answer/state.ts';
import { isOtherLanguage } from './other-language.ts';
import { saysNothingFound } from './refusals.ts';

/** How an answer was written. */
export interface Written {
  /** The language that was asked for. */
  language: Language;
  /** Whether the model writes text of its own; quotations stay in the language of their document. */
  isGenerative: boolean;
}

/**
 * Judges an answer whose sentences were compared with their sources, before its end is sent and before the cache may store it. Returns the
 * verdict and the stage, with a degradation if a sentence failed or the model did something else wrong. A model's own "the passages do
 * not mention this" becomes a refusal.
 */
export function checkAnswer(state: AnswerState, { language, isGenerative }: Written): AskEvent[] {
  const { outcome, citations, text, question, standalone, unsupportedClaims } = state;
  if (outcome === AnswerOutcome.REFUSED) return [stageSkipped(Stage.VALIDATE)];
  const hasNoMarker = citations.length === 0;
  if (hasNoMarker && outcome === AnswerOutcome.ANSWERED && saysNothingFound(text) && unsupportedClaims.length === 0) {
    return [
      { case: 'outcome', value: AnswerOutcome.REFUSED },
      stageFinished(Stage.VALIDATE, 'the model found no answer'),
    ];
  }
  const found = [...state.defects];
  const events: AskEvent[] = [];
  const note = (defect: AnswerDefect) => {
    found.push(defect);
    events.push({ case: 'defect', value: defect });
  };
  let claims = unsupportedClaims;
  const asked = isGenerative ? language : Language.UNSPECIFIED;
  if (claims.length === 0 && isOtherLanguage(text, asked, [question, standalone])) {
    const whole = create(UnsupportedClaimSchema, { start: 0, end: text.length, fault: ClaimFault.LANGUAGE });
    claims = [whole];
    events.push({ case: 'verdict', value: { unsupportedClaims: [whole], isVerified: false } });
    note(AnswerDefect.OTHER_LANGUAGE);
  }
  if (claims.length > 0) events.push(stageDegraded(Stage.VALIDATE, summaryOf(claims), effectOn(claims)));
  const isPart = outcome === AnswerOutcome.TRUNCATED || outcome === AnswerOutcome.FILTERED;
  if (hasNoMarker && !isPart) {
    note(AnswerDefect.NO_MARKER);
    events.push(stageDegraded(Stage.VALIDATE, 'no marker names a source', 'answer has no citation'));
  }
  const others = found.filter((defect) => !judgedAbove.has(defect));
  if (others.length > 0) {
    const names = others.map((defect) => enumName(AnswerDefectSchema, defect)).join(', ');
    events.push(stageDegraded(Stage.VALIDATE, names, 'what is wrong was left out'));
  }
  if (events.some(({ case: kind }) => kind === 'degraded')) return events;
  if (isPart) return [...events, stageSkipped(Stage.VALIDATE)];
  return [
    { case: 'verdict', value: { unsupportedClaims: [], isVerified: found.length === 0 } },
    stageFinished(Stage.VALIDATE, `${citations.length} cited`),
  ];
}

function effectOn(claims: readonly UnsupportedClaim[]): string {
  const isShown = ({ action }: UnsupportedClaim) =>
    action !== SentenceAction.WITHHOLD && action !== SentenceAction.QUOTE;
  return claims.every(isShown) ? 'the sentences are marked' : 'the sentences are withheld or replaced by quotations';
}

/** Defects that have a degradation of their own, and a number without a source, which has no effect. */
const judgedAbove: ReadonlySet<AnswerDefect> = new Set([
  AnswerDefect.NO_MARKER,
  AnswerDefect.OTHER_LANGUAGE,
  AnswerDefect.EMPTY,
  AnswerDefect.MARKER_OUT_OF_RANGE,
]);

/** "UNSUPPORTED_FACT in 2 sentences, UNSUPPORTED_NEGATION in 1 sentence". */
function summaryOf(claims: readonly UnsupportedClaim[]): string {
  return [...Map.groupBy(claims, ({ fault }) => fault)]
    .map(([fault, { length }]) => {
      const name = `UNSUPPORTED_${enumName(ClaimFaultSchema, fault)}`;
      return `${name} in ${length} ${length === 1 ? 'sentence' : 'sentences'}`;
    })
    .join(', ');
}
