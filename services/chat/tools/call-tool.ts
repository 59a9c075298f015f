import { create, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type ToolCallUpdate, ToolCallUpdateSchema } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { withSpan } from '#kit/base/span.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { type AskEvent, sources, stageDegraded, stageFinished, stageStarted } from '../answer/events.ts';
import { describeFailure, rethrowIfFinal } from '../answer/failure.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { toPassage, toResultText } from './result.ts';
import type { OfferedTool } from './toolbox.ts';

/** What calls of tools for one question share. */
export interface ToolCalls {
  readonly sessions: Pick<Sessions, 'propose'>;
  readonly newId: () => string;
  readonly clock: () => number;
  readonly language: Language;
  /** The question that the calls are for. */
  readonly question: string;
  /** Tokens that all results may take together. */
  readonly budgetTokens: number;
}

/** A call that is about to be made. */
export interface PlannedCall {
  readonly offered: OfferedTool;
  readonly arguments: JsonObject;
  /** Empty: a new one. */
  readonly callId: string;
  /** Whether the caller has approved exactly this call. */
  readonly isApproved: boolean;
}

/** How a call ended. */
export type Called =
  | {
      readonly kind: 'result';
      readonly result: JsonValue;
      readonly text: string;
      /** The sources with the result as the last one. */
      readonly passages: readonly Passage[];
      readonly tokens: number;
    }
  /** It failed. `detail` is one line without text of the other system. */
  | { readonly kind: 'failed'; readonly detail: string }
  /** It waits for the caller's approval. */
  | { readonly kind: 'waits' };

/** Time in which a call can be approved, in milliseconds. */
const approvalMs = 600_000;
/** The contract's limits. */
const maxArgumentsBytes = 16_384;
const maxDetailLength = 512;

/**
 * Makes one call for the caller, and yields what happens to it. A call that needs approval is kept instead of made. `passages`: the
 * sources so far.
 */
export async function* callTool(
  calls: ToolCalls,
  { offered, arguments: given, callId, isApproved }: PlannedCall,
  passages: readonly Passage[],
  context: CallContext,
): AsyncGenerator<AskEvent, Called> {
  const { tool } = offered;
  const startedAt = performance.now();
  const argumentsJson = JSON.stringify(given);
  const named = { callId: callId || calls.newId(), tool: tool.name, title: tool.title, argumentsJson };
  const update = (
    status: ToolCallStatus,
    rest: Partial<Pick<ToolCallUpdate, 'detail' | 'marker' | 'approveBefore'>> = {},
  ): AskEvent => {
    const latencyUs = BigInt(Math.round((performance.now() - startedAt) * 1000));
    return { case: 'toolCall', value: create(ToolCallUpdateSchema, { ...named, status, latencyUs, ...rest }) };
  };
  const fail = function* (detail: string): Generator<AskEvent, Called> {
    yield update(ToolCallStatus.FAILED, { detail: detail.slice(0, maxDetailLength) });
    return { kind: 'failed', detail };
  };
  if (Buffer.byteLength(argumentsJson) > maxArgumentsBytes) {
    named.argumentsJson = '{}';
    return yield* fail(`the arguments have more than ${maxArgumentsBytes} bytes`);
  }
  const problem = offered.check(given);
  if (problem !== undefined) return yield* fail(`the arguments are not valid: ${problem}`);
  if (offered.needsApproval && !isApproved) {
    const expiresAtMs = calls.clock() + approvalMs;
    const { callId: id } = named;
    const { question } = calls;
    await calls.sessions.propose(context.principal, {
      callId: id,
      tool: tool.name,
      argumentsJson,
      question,
      expiresAtMs,
    });
    yield update(ToolCallStatus.NEEDS_APPROVAL, { approveBefore: timestampFromMs(expiresAtMs) });
    return { kind: 'waits' };
  }
  yield stageStarted(Stage.TOOL);
  yield update(ToolCallStatus.RUNNING);
  try {
    const { principal, signal } = context;
    const language = calls.language === Language.ZH ? 'zh' : calls.language === Language.EN ? 'en' : '';
    const caller = { principal, language, signal, timeoutMs: context.timeoutMs() };
    const result = await withSpan('tool.call', { 'gen_ai.tool.name': tool.name }, () => offered.call(given, caller));
    const { text, tokens } = toResultText(result, Math.min(tool.maxResultTokens, calls.budgetTokens));
    const all = [...passages, toPassage(tool, named.callId, text)];
    yield sources(all);
    yield update(ToolCallStatus.SUCCEEDED, { marker: all.length });
    yield stageFinished(Stage.TOOL, tool.name);
    return { kind: 'result', result, text, passages: all, tokens };
  } catch (error) {
    if (context.signal.aborted || context.timeoutMs() === 0) rethrowIfFinal(error, context);
    const detail = describeFailure(error);
    yield stageDegraded(Stage.TOOL, detail, `answered without ${tool.name}`);
    return yield* fail(detail);
  }
}
