import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type GenerateRequest,
  type GenerateResponseSchema,
  type GenerateStartedSchema,
  MidStreamPolicy,
  Outcome,
  type TextDelta,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import { sumUsages, type Usage } from '../accounting/usage.ts';
import type { Content } from '../providers/llm-provider.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptResult } from './attempt-state.ts';

/** A message of the stream to the caller. */
export type Response = MessageInitShape<typeof GenerateResponseSchema>;

/** What is left of the caller's limits a minute. */
export type Standing = Pick<MessageInitShape<typeof GenerateStartedSchema>, 'requests' | 'tokens'>;

/** What a request adds to the beginning of its answer: warnings, to which each attempt adds its own, and the standing of its caller. */
export interface Beginning {
  warnings: readonly string[];
  standing: Standing;
}

/** Longest completion that is held back, in UTF-16 code units. */
const maxHeldLength = 8 << 20;

/** The answer of a request, which several attempts may write. */
export interface Answer {
  /** Text that another target can continue; empty: there is none, or it cannot be continued. */
  readonly continuableText: string;
  /** Whether an attempt has returned content that belongs to the answer. */
  readonly hasContent: boolean;
  /** Returns the messages of the first content of an attempt. A new answer resets the one before. */
  begin(attempt: Attempt, content: Content): Response[];
  /** Returns the message of the content; `undefined`: it is held back. Throws RESOURCE_EXHAUSTED if too much is held back. */
  add(content: Content): Response | undefined;
  /** Records that an attempt ended without finishing the answer. */
  interrupt(attempt: Attempt, result: AttemptResult): void;
  /** Returns the messages at the end of the attempt that finishes the answer. */
  finish(attempt: Attempt, result: AttemptResult, attemptCount: number): Response[];
  /** Returns the end of an answer that the caller has in part; `undefined`: the caller has nothing of it. */
  finishPartial(attemptCount: number): { responses: Response[]; outcome: Outcome } | undefined;
}

interface Part {
  attempt: Attempt;
  result: AttemptResult;
}

const continuing: ReadonlySet<MidStreamPolicy> = new Set([MidStreamPolicy.CONTINUE, MidStreamPolicy.CONTINUE_OR_FAIL]);

/** Creates an empty answer. */
export function createAnswer(request: GenerateRequest, beginning: Beginning): Answer {
  const policy = request.midStreamPolicy;
  const held: Response[] | undefined = policy === MidStreamPolicy.HOLD_BACK ? [] : undefined;
  let heldLength = 0;
  // Attempts whose content is the answer so far, and its text.
  let parts: Part[] = [];
  let text = '';
  // Tool calls, structured output and filtered answers cannot be continued.
  let isContinuable = request.responseFormat === undefined;

  const reset = (): Response[] => {
    const responses = parts.length > 0 && held === undefined ? [resetResponse(parts)] : [];
    parts = [];
    text = '';
    isContinuable = request.responseFormat === undefined;
    if (held !== undefined) held.length = heldLength = 0;
    return responses;
  };
  const open = (attempt: Attempt): Response[] => {
    const responses = attempt.continues ? [] : reset();
    const started = startedResponse(attempt, beginning);
    if (held === undefined) return [...responses, started];
    held.push(started);
    return responses;
  };
  const add = (content: Content): Response | undefined => {
    if (content.kind === 'text') text += content.text;
    else if (content.kind === 'tool-call') isContinuable = false;
    const response = contentResponse(content);
    if (held === undefined) return response;
    held.push(response);
    heldLength += lengthOf(content);
    if (heldLength > maxHeldLength) throw tooLarge('the completion that is held back', maxHeldLength);
    return undefined;
  };
  const partialUsages = () => parts.map(({ result }) => result.usage);
  return {
    get continuableText() {
      return continuing.has(policy) && isContinuable ? text : '';
    },
    get hasContent() {
      return parts.length > 0;
    },
    begin(attempt, content) {
      const responses = open(attempt);
      const first = add(content);
      if (first !== undefined) responses.push(first);
      return responses;
    },
    add,
    interrupt(attempt, result) {
      if (result.hasContent) parts.push({ attempt, result });
      // What a content filter stopped is not continued.
      if (result.outcome === Outcome.FILTERED) isContinuable = false;
    },
    finish(attempt, result, attemptCount) {
      const started = result.hasContent || attempt.continues ? [] : open(attempt);
      const usages = [...partialUsages(), result.usage];
      return [...started, ...(held ?? []), ...endResponses(result, usages, attemptCount)];
    },
    finishPartial(attemptCount) {
      const shown = held === undefined ? parts.at(-1)?.result : undefined;
      if (shown === undefined) return undefined;
      return { responses: endResponses(shown, partialUsages(), attemptCount), outcome: shown.outcome };
    },
  };
}

/** Returns the messages of an answer without content that `result` ends. */
export function emptyAnswer(
  attempt: Attempt,
  result: AttemptResult,
  beginning: Beginning,
  attemptCount: number,
): Response[] {
  return [startedResponse(attempt, beginning), ...endResponses(result, [result.usage], attemptCount)];
}

function startedResponse({ model, target, number, warnings }: Attempt, beginning: Beginning): Response {
  const { name, adapter, redact } = target;
  const value = {
    model: model || name,
    provider: adapter,
    attempt: number,
    warnings: [...beginning.warnings, ...warnings.map(redact)],
    ...beginning.standing,
  };
  return { event: { case: 'started', value } };
}

function resetResponse(parts: readonly Part[]): Response {
  const names = parts.map(({ attempt }) => attempt.model || attempt.target.name);
  return { event: { case: 'reset', value: { reason: `${names.join(', ')} ended early` } } };
}

function endResponses({ outcome, reason }: AttemptResult, usages: readonly Usage[], attemptCount: number): Response[] {
  const [first, ...rest] = usages;
  const usage: Response[] =
    first === undefined ? [] : [{ event: { case: 'usage', value: sumUsages([first, ...rest]) } }];
  const value = { outcome, providerReason: reason.slice(0, 256).toWellFormed(), attemptCount };
  return [...usage, { event: { case: 'done', value } }];
}

function lengthOf(content: Content): number {
  return content.kind === 'tool-call' ? content.name.length + content.argumentsJson.length : content.text.length;
}

function contentResponse(content: Content): Response {
  switch (content.kind) {
    // Complete messages, because there are many of them, and the mount would have to build them.
    case 'text': {
      const value: TextDelta = { $typeName: 'ragmesh.llm_gateway.v1.TextDelta', text: content.text };
      return { $typeName: 'ragmesh.llm_gateway.v1.GenerateResponse', event: { case: 'textDelta', value } };
    }
    case 'reasoning':
      return { event: { case: 'reasoningDelta', value: { text: content.text } } };
    case 'tool-call': {
      const { index, id, name, argumentsJson, extraContentJson = '' } = content;
      return { event: { case: 'toolCallDelta', value: { index, id, name, argumentsJson, extraContentJson } } };
    }
    default:
      return content satisfies never;
  }
}
