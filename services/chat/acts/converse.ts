import { ConversationAct as Act, HandoverReason, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { PastTurn } from '../answer/turn.ts';
import { type HandoverEvent, type HandoverStep, nextHandover } from '../handover/state.ts';
import { otherLanguageText } from './other-language.ts';
import { offerText, type Replies, withPersonText } from './replies.ts';
import { isSearched, type Routed, type Router } from './router.ts';

/** What a conversation does with a message. */
export interface Move {
  readonly act: Act;
  /** The whole answer, without a search; `undefined`: the message is searched. */
  readonly reply: string | undefined;
  /** What follows a refusal of a searched message; may be empty. */
  readonly afterRefusal: string;
  /** Whether the reply asks back. */
  readonly isClarification: boolean;
  /** The hand-over after the message, or after its refusal if `reply` is `undefined`. */
  readonly handover: HandoverStep;
  /** What happens to the hand-over; `undefined`: nothing. */
  readonly event: HandoverEvent | undefined;
  /** Whether a person has ended since the last message: documents answer again. */
  readonly isReturned: boolean;
}

/** A message with what came before it. */
export interface Message {
  readonly text: string;
  readonly routed: Routed;
  readonly tenant: string;
  readonly language: Language;
  /** Oldest first. */
  readonly turns: readonly PastTurn[];
  readonly handover: HandoverStep;
}

/** Refusals in a row, this one included, after which a person is offered. */
const refusalsBeforeOffer = 2;

const yes =
  /^\s*(?:好的?|好啊|要|需要|可以|行|是的?|yes|yep|yeah|sure|ok|okay|please(?: do)?|yes,? please)\s*[.!。！~]*\s*$/iu;

/** Decides what a conversation does with a message. */
export function converse(message: Message, { replies, route }: { replies: Replies; route: Router }): Move {
  const { text, routed, tenant, language, turns, handover } = message;
  const isAccepted = handover.state === HandoverState.OFFERED && yes.test(text);
  const act = isAccepted ? Act.HANDOVER : routed.act;
  const isReturned = handover.state === HandoverState.RETURNED && wasWithPerson(turns);
  const move = { act, afterRefusal: '', isClarification: false, handover, event: undefined, isReturned };
  const after = (event: HandoverEvent) => ({ handover: nextHandover(handover, event), event });
  const reply = replies(tenant, act, language);

  if (handover.state === HandoverState.WITH_PERSON) return { ...move, reply: withPersonText(language) };
  switch (act) {
    case Act.HANDOVER:
      return { ...move, reply, ...after({ case: 'request' }) };
    case Act.COMPLAINT:
      return { ...move, reply, ...after({ case: 'offer', reason: HandoverReason.COMPLAINT }) };
    case Act.UNCLEAR:
      if (wasUnclear(turns, route)) {
        return { ...move, reply: offerText(language), ...after({ case: 'offer', reason: HandoverReason.UNANSWERED }) };
      }
      // After an answer, "and then?" is about it.
      if (subjectTurns(turns, route).length > 0) break;
      return { ...move, reply, isClarification: true };
    case Act.ORDER_STATUS:
      return {
        ...move,
        ...{ reply: undefined, afterRefusal: reply },
        ...after({ case: 'offer', reason: HandoverReason.ACCOUNT }),
      };
    default:
      break;
  }
  if (!isSearched(act) && act !== Act.UNCLEAR) return { ...move, reply };
  const served = otherLanguageText(text);
  if (served !== '') return { ...move, act: Act.OTHER_LANGUAGE, reply: undefined, afterRefusal: served };
  const question = { ...move, act: act === Act.UNCLEAR ? Act.QUESTION : act, reply: undefined };
  const refused = turns.slice(1 - refusalsBeforeOffer).filter(({ outcome }) => outcome === AnswerOutcome.REFUSED);
  if (turns.length === 0 || refused.length < refusalsBeforeOffer - 1) return question;
  const offer = after({ case: 'offer', reason: HandoverReason.UNANSWERED });
  return { ...question, afterRefusal: offerText(language), ...offer };
}

/** Returns the turns that a later question can refer to: without greetings, thanks and other acts that were not searched. */
export function subjectTurns(turns: readonly PastTurn[], route: Router): PastTurn[] {
  return turns.filter(({ question, outcome }) =>
    outcome === undefined ? isSearched(route(question).act) : outcome !== AnswerOutcome.REPLIED,
  );
}

// The last message was for a person.
function wasWithPerson(turns: readonly PastTurn[]): boolean {
  const last = turns.at(-1)?.answer;
  return last === withPersonText(Language.ZH) || last === withPersonText(Language.EN);
}

// Asked back once is enough.
function wasUnclear(turns: readonly PastTurn[], route: Router): boolean {
  const last = turns.at(-1);
  return last !== undefined && last.outcome === AnswerOutcome.REPLIED && route(last.question).act === Act.UNCLEAR;
}
