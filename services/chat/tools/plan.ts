import type { JsonObject } from '@bufbuild/protobuf';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { Router } from '../acts/router.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { PlannedCall } from './call-tool.ts';
import type { OfferedTool } from './toolbox.ts';

/** What tools can do for a message. */
export interface ToolPlan {
  /** The tools that the caller may use. */
  readonly offered: readonly OfferedTool[];
  /** A call that is made before anything is searched; `undefined`: none. */
  readonly first: PlannedCall | undefined;
  /** The tool that would answer, if the message had its argument. */
  readonly incomplete: OfferedTool | undefined;
  /** Whether the caller declined the call `first`. */
  readonly isDeclined: boolean;
  /** The question that a call answers, if it is not the message. */
  readonly question: string | undefined;
}

/** No tool does anything. */
export const noTools: ToolPlan = {
  offered: [],
  first: undefined,
  incomplete: undefined,
  isDeclined: false,
  question: undefined,
};

/** A message, as far as it decides about tools. */
export interface ToolMessage {
  readonly text: string;
  readonly act: ConversationAct;
  /** Turns before it, oldest first. */
  readonly turns: readonly PastTurn[];
}

/** Words beside an argument that make a message more than the argument, in characters. */
const maxBesideSlot = 8;

/**
 * Plans the call that needs no model: the tool of the message's act, with the one argument that the message contains. A message with
 * nothing else answers the question before it that lacked the argument.
 */
export function planByAct(offered: readonly OfferedTool[], message: ToolMessage, route: Router): ToolPlan {
  const plan = { ...noTools, offered };
  const last = message.turns.at(-1);
  for (const candidate of offered) {
    const { act, slot, slotPattern } = candidate.tool;
    if (act === ConversationAct.UNSPECIFIED) continue;
    const found = slotPattern.exec(message.text)?.[0];
    const isBare = found !== undefined && message.text.trim().length - found.length <= maxBesideSlot;
    const isAsked = message.act === act;
    const isReply = isBare && last !== undefined && route(last.question).act === act;
    if (!isAsked && !isReply) continue;
    if (slot !== '' && found === undefined) return { ...plan, incomplete: candidate };
    const given: JsonObject = slot === '' ? {} : { [slot]: found ?? '' };
    const question = isReply && !isAsked ? `${last.question} ${found}` : undefined;
    return { ...plan, first: { offered: candidate, arguments: given, callId: '', isApproved: false }, question };
  }
  return plan;
}
