import { create, type JsonObject } from '@bufbuild/protobuf';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type Message,
  MessageRole,
  MessageSchema,
  type Tool,
  type ToolCall,
  ToolCallSchema,
  ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { AskEvent } from '../answer/events.ts';
import { say } from './answer-tool.ts';
import { callTool, type ToolCalls } from './call-tool.ts';
import { toolTexts } from './texts.ts';
import type { OfferedTool } from './toolbox.ts';

/** Turns of a model in one answer, of which the last one must answer, and calls in one answer. */
export const maxToolRounds = 4;
const maxCalls = 8;
/** Below this, a result has no room, in tokens. */
const minResultTokens = 16;

/** Tools for the generation of one answer. */
export interface ModelTools {
  /** What the model is given. */
  readonly definitions: readonly Tool[];
  /** Makes the calls of one turn of the model, and returns the conversation after them with all sources; `undefined`: the answer is complete. */
  run(
    requested: readonly ToolCall[],
    passages: readonly Passage[],
    context: CallContext,
  ): AsyncGenerator<AskEvent, { messages: Message[]; passages: readonly Passage[] } | undefined>;
}

/** Creates the tools of one answer. */
export function createModelTools(calls: ToolCalls, offered: readonly OfferedTool[]): ModelTools {
  let leftTokens = calls.budgetTokens;
  let leftCalls = maxCalls;
  const definitions = offered.map(({ tool, operation }) =>
    create(ToolSchema, {
      name: tool.name,
      description: tool.description || operation.description || tool.title,
      parametersJson: JSON.stringify(operation.parameters),
    }),
  );
  return {
    definitions,
    async *run(requested, given, context) {
      const messages: Message[] = [];
      let passages = given;
      const reply = (toolCallId: string, text: string) =>
        messages.push(create(MessageSchema, { role: MessageRole.TOOL, toolCallId, text }));
      for (const { id, name, argumentsJson } of requested) {
        const found = offered.find(({ tool }) => tool.name === name);
        const parsed = parseArguments(argumentsJson);
        if (found === undefined || parsed === undefined) {
          reply(id, found === undefined ? 'There is no such tool.' : 'The arguments are not a JSON object.');
          continue;
        }
        if (leftCalls-- <= 0 || leftTokens < minResultTokens) {
          reply(id, 'No more calls: answer from what there is.');
          continue;
        }
        const planned = { offered: found, arguments: parsed, callId: '', isApproved: false };
        const called = yield* callTool({ ...calls, budgetTokens: leftTokens }, planned, passages, context);
        switch (called.kind) {
          case 'waits':
            yield* say(toolTexts(calls.language).askForApproval(found.tool.title, argumentsJson));
            return undefined;
          case 'failed':
            reply(id, `The call failed: ${called.detail}`);
            break;
          case 'result':
            passages = called.passages;
            leftTokens -= called.tokens;
            // The result itself is among the passages, inside of their fence.
            reply(id, `The result is passage [${passages.length}].`);
            break;
          default:
            called satisfies never;
        }
      }
      return { messages, passages };
    },
  };
}

/** Returns the conversation of a call that was made before the model's turn: its request, and the number of its result. */
export function callMessages(name: string, callId: string, given: JsonObject, marker: number): Message[] {
  const call = create(ToolCallSchema, { id: callId, name, argumentsJson: JSON.stringify(given) });
  return [
    create(MessageSchema, { role: MessageRole.ASSISTANT, toolCalls: [call] }),
    create(MessageSchema, { role: MessageRole.TOOL, toolCallId: callId, text: `The result is passage [${marker}].` }),
  ];
}

function parseArguments(json: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(json === '' ? '{}' : json);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
