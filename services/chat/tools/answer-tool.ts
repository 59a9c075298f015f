import { create } from '@bufbuild/protobuf';
import { ToolCallUpdateSchema } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { AnswerOutcome, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { type AskEvent, citation, textDelta } from '../answer/events.ts';
import { type Called, callTool, type PlannedCall, type ToolCalls } from './call-tool.ts';
import type { ToolPlan } from './plan.ts';
import { toReply } from './result.ts';
import { toolTexts } from './texts.ts';

/**
 * Makes the call that a plan begins with, or says that it was not made. Returns how it ended if the answer is still to be written:
 * `undefined` if it is complete.
 */
export async function* beginWithTool(
  calls: ToolCalls,
  { isDeclined, question }: ToolPlan,
  first: PlannedCall,
  context: CallContext,
): AsyncGenerator<AskEvent, Called | undefined> {
  const { tool } = first.offered;
  const texts = toolTexts(calls.language);
  if (isDeclined) {
    const { callId, arguments: given } = first;
    const named = { callId, tool: tool.name, title: tool.title, argumentsJson: JSON.stringify(given) };
    yield {
      case: 'toolCall',
      value: create(ToolCallUpdateSchema, { ...named, status: ToolCallStatus.DECLINED }),
    };
    yield* say(texts.declined(tool.title));
    return undefined;
  }
  const called = yield* callTool(calls, first, [], context);
  if (called.kind === 'waits') {
    yield* say(texts.askForApproval(tool.title, JSON.stringify(first.arguments)));
    return undefined;
  }
  // What the caller has approved is not answered from documents instead.
  if (called.kind === 'failed' && first.isApproved && question !== undefined) {
    yield* say(texts.failed(tool.title));
    return undefined;
  }
  return called;
}

/** Writes the answer of a result without a model, with its citation. */
export function* writeResult(
  calls: ToolCalls,
  { offered }: PlannedCall,
  called: Called & { kind: 'result' },
): Generator<AskEvent> {
  const marker = called.passages.length;
  const { chunkId, documentId, title, url, corpus } = called.passages[marker - 1] as Passage;
  // No model writes this.
  yield { case: 'model', value: '' };
  // A marker in the result would cite what it does not come from.
  const reply = toReply(offered.tool, calls.language, called.result, called.text).replaceAll(/\[(\d{1,3})\]/g, '($1)');
  yield textDelta(`${reply} [${marker}]`);
  yield citation({ marker, chunkId, documentId, title, url, corpus });
  yield { case: 'outcome', value: AnswerOutcome.ANSWERED };
}

/** Ends an answer with a sentence of chat itself. */
export function* say(text: string): Generator<AskEvent> {
  yield { case: 'model', value: '' };
  yield { case: 'outcome', value: AnswerOutcome.REPLIED };
  yield { case: 'remark', value: text };
}
