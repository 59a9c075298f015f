import { create } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import {
  type LLMGatewayService,
  MessageRole,
  MessageSchema,
  MidStreamPolicy,
  type Model,
  Outcome,
  type Task,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { within } from '#kit/base/within.ts';

/** A small task for a model. */
export interface ShortTask {
  readonly task: Task;
  readonly system: string;
  readonly text: string;
  readonly maxTokens: number;
  readonly timeoutMs: number;
  /** Names the request in the ledger. */
  readonly requestId: string;
}

/** On whose behalf a task is done. */
export interface TaskCaller {
  /** Ends the task. */
  readonly signal?: AbortSignal;
  /** Returns the options of its call, which `ends` ends. */
  options(ends: AbortSignal): CallOptions;
}

/** Longest text that is read, in UTF-16 code units. */
const maxLength = 16_384;

/** Returns whether a route is configured for a task. */
export function hasTask(models: readonly Model[] | undefined, task: Task): boolean {
  return models?.some(({ tasks }) => tasks.includes(task)) ?? false;
}

/**
 * Returns the text that the task's own route writes within its time; `undefined` if it is late, fails, or writes no whole text. Throws only
 * if the caller has left.
 */
export async function completeShort(
  llm: Pick<Client<typeof LLMGatewayService>, 'generate'>,
  { task, system, text, maxTokens, timeoutMs, requestId }: ShortTask,
  caller: TaskCaller,
): Promise<string | undefined> {
  const message = (role: MessageRole, said: string) => create(MessageSchema, { role, text: said });
  const request = {
    task,
    messages: [message(MessageRole.SYSTEM, system), message(MessageRole.USER, text)],
    maxTokens,
    temperature: 0,
    requestId,
    midStreamPolicy: MidStreamPolicy.RESTART,
  };
  const read = async (signal: AbortSignal): Promise<string | undefined> => {
    let written = '';
    let outcome: Outcome = Outcome.TRUNCATED;
    for await (const { event } of llm.generate(request, caller.options(signal))) {
      if (event.case === 'textDelta') written += event.value.text;
      else if (event.case === 'reset') written = '';
      else if (event.case === 'done') outcome = event.value.outcome;
      if (written.length > maxLength) return undefined;
    }
    return outcome === Outcome.COMPLETE ? written.trim() : undefined;
  };
  try {
    return await within(read, { timeoutMs, signals: [caller.signal] });
  } catch (error) {
    if (caller.signal?.aborted) throw error;
    return undefined;
  }
}
