import { create } from '@bufbuild/protobuf';
import {
  ClarificationSchema,
  ConversationActSchema,
  HandoverReason,
  HandoverSchema,
  HandoverState,
} from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { type AskEvent, stageFinished } from '../answer/events.ts';
import type { PastTurn } from '../answer/turn.ts';
import { toStandalone } from '../understand/rewrite.ts';
import type { Move } from './converse.ts';

/** Turns and characters of a summary for a person; the characters are the limit of the contract. */
const summaryTurns = 8;
const summaryLength = 4096;
const turnLength = 500;
const maxSources = 20;

/** Yields a reply that needs no documents. */
export function* answerAct(
  move: Move,
  reply: string,
  question: string,
  turns: readonly PastTurn[],
): Generator<AskEvent> {
  yield stageFinished(Stage.ROUTE, enumName(ConversationActSchema, move.act).toLowerCase());
  // No model writes this.
  yield { case: 'model', value: '' };
  yield { case: 'outcome', value: AnswerOutcome.REPLIED };
  yield { case: 'remark', value: reply };
  if (move.isClarification) {
    yield clarification(reply);
  }
  yield* showHandover(move, question, turns);
}

/** Yields what follows a refusal: what the documents cannot say, and the offer of a person. */
export function* afterRefusal(move: Move, question: string, turns: readonly PastTurn[]): Generator<AskEvent> {
  if (move.afterRefusal === '') return;
  yield { case: 'remark', value: move.afterRefusal };
  if (move.isClarification) yield clarification(move.afterRefusal);
  yield* showHandover(move, question, turns);
}

function clarification(question: string): AskEvent {
  return { case: 'clarification', value: create(ClarificationSchema, { question }) };
}

/** Yields a hand-over that was changed, that a person has ended, or that lets no document answer. */
export function* showHandover(move: Move, question: string, turns: readonly PastTurn[]): Generator<AskEvent> {
  const { handover, event, isReturned } = move;
  const isWithPerson = handover.state === HandoverState.WITH_PERSON;
  if (event === undefined && !isWithPerson && !isReturned) return;
  const asked: PastTurn[] = [...turns.slice(1 - summaryTurns), { question, answer: '' }];
  const sources = new Map(
    asked.flatMap(({ citations = [] }) => citations.map((cited) => [cited.chunkId, cited] as const)),
  );
  const value = create(HandoverSchema, {
    ...handover,
    summary: asked.map(describeTurn).join('\n').slice(-summaryLength),
    sources: [...sources.values()].slice(-maxSources),
  });
  yield { case: 'handover', value: { handover: value, event, about: aboutOf(handover.reason, turns) || question } };
}

/**
 * Returns what the person who takes over is to answer: the complaint, or else the latest question that was no greeting or thanks,
 * understandable without the turns before it. Empty if there is none.
 */
function aboutOf(reason: HandoverReason, turns: readonly PastTurn[]): string {
  if (reason === HandoverReason.COMPLAINT) return turns.at(-1)?.question ?? '';
  const at = turns.findLastIndex(({ outcome }) => outcome !== AnswerOutcome.REPLIED);
  return at === -1 ? '' : toStandalone(turns[at]?.question ?? '', turns.slice(0, at)).text;
}

function describeTurn({ question, answer }: PastTurn): string {
  const cut = (text: string) =>
    (text.length <= turnLength ? text : `${text.slice(0, turnLength)}…`).replaceAll(/\s+/g, ' ');
  return answer === '' ? `Q: ${cut(question)}` : `Q: ${cut(question)}\nA: ${cut(answer)}`;
}
