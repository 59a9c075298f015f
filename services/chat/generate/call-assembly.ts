import { create } from '@bufbuild/protobuf';
import {
  type Message,
  MessageRole,
  MessageSchema,
  type ToolCall,
  type ToolCallDelta,
  ToolCallSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';

/** A turn of a model that calls tools. */
export interface CallingTurn {
  readonly calls: readonly ToolCall[];
  /** What it said before; may be empty. */
  readonly text: string;
  /** For models that need it again; may be empty. */
  readonly reasoning: string;
}

/** Calls of one turn of a model, and characters of one's arguments; more are left out. */
const maxCallsPerTurn = 8;
const maxArgumentsLength = 65_536;
const maxReasoningLength = 200_000;

/** The calls of one turn, as they come. */
export type CallAssembly = ReturnType<typeof createCallAssembly>;

/** Puts the calls of a model together from their parts. */
export function createCallAssembly() {
  const calls = new Map<number, ToolCall>();
  let reasoning = '';
  return {
    add({ index, id, name, argumentsJson, extraContentJson }: ToolCallDelta): void {
      let call = calls.get(index);
      if (call === undefined) {
        if (calls.size >= maxCallsPerTurn) return;
        call = create(ToolCallSchema);
        calls.set(index, call);
      }
      call.id ||= id;
      call.name ||= name;
      call.extraContentJson ||= extraContentJson;
      if (call.argumentsJson.length <= maxArgumentsLength) call.argumentsJson += argumentsJson;
    },
    addReasoning(text: string): void {
      if (reasoning.length <= maxReasoningLength) reasoning += text;
    },
    /** Returns the calls in their order. */
    end: (text: string): CallingTurn => ({
      text,
      calls: [...calls].sort(([a], [b]) => a - b).map(([, call]) => call),
      reasoning,
    }),
  };
}

/** Returns the model's turn that requested these calls, for the conversation after it. */
export function assistantTurn({ calls, text, reasoning }: CallingTurn): Message {
  return create(MessageSchema, { role: MessageRole.ASSISTANT, text, toolCalls: [...calls], reasoning });
}
