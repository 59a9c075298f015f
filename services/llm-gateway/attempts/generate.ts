import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type GenerateRequest,
  type GenerateResponseSchema,
  MidStreamPolicy,
  Outcome,
  type TextDelta,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { tooLarge } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { sumUsages, type Usage } from '../accounting/usage.ts';
import type { Failover } from '../failover/failover.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type Attempt, type AttemptResult, type Content, isBroken, isResult, type Turn } from './attempt.ts';
import { type FirstStep, firstStepOf, type HedgeShare } from './hedge.ts';

/** A request, with all that has been decided of it. */
export interface Work {
  request: GenerateRequest;
  /** What the caller should know of the request, beside what an attempt adds. */
  warnings: readonly string[];
  failover: Failover;
  /** Starts a turn; `prefix` is the part of the answer to go on from. */
  start(turn: Turn, prefix: string): Attempt;
  /** Time before a second attempt, in milliseconds; 0: none. */
  hedgeDelayMs: number | undefined;
  hedgeMaxShare: number;
  hedgeShare: HedgeShare;
  retryFiltered: boolean;
  metrics: GatewayMetrics;
  log: Logger;
}

/** What a request sends. */
export type Response = MessageInitShape<typeof GenerateResponseSchema>;

/** The longest completion that is held back, in UTF-16 code units. */
const maxHeldLength = 8 << 20;

/**
 * Generates: attempt after attempt in the request's budget, until one comes to its end. Before anything was sent a failure moves on in
 * silence; after that, the caller's mid-stream policy decides. Throws where nothing was sent and nobody is left; else the last
 * message is `done`, and only a provider's terminal event makes it a success. Returns its outcome.
 */
export async function* generate(work: Work): AsyncGenerator<Response, Outcome> {
  const { request, failover, metrics, log } = work;
  const policy = request.midStreamPolicy;
  const held: Response[] | undefined = policy === MidStreamPolicy.HOLD_BACK ? [] : undefined;
  let heldLength = 0;
  // Attempts whose content is the answer so far, and its text.
  let parts: { attempt: Attempt; result: AttemptResult }[] = [];
  let text = '';
  let isPlain = request.responseFormat === undefined;
  let filtered: FirstStep | undefined;

  for (;;) {
    const wantsPrefill = policy === MidStreamPolicy.CONTINUE && isPlain && text !== '';
    const turn = await failover.pick(wantsPrefill);
    if (turn === undefined) break;
    const prefix = turn.continues ? text : '';
    if (turn.number > 1)
      metrics.fallbackTotal.inc({ model: turn.target.name, how: prefix === '' ? 'anew' : 'continue' });
    const { attempt, step } = await firstStep(work, work.start(turn, prefix), turn.number === 1);
    let next = step;
    if (!isResult(next)) {
      if (!attempt.continues) {
        if (parts.length > 0 && held === undefined) yield resetResponse(parts);
        parts = [];
        text = '';
        isPlain = request.responseFormat === undefined;
        if (held !== undefined) held.length = heldLength = 0;
      }
      const started = startedResponse(attempt, work.warnings);
      if (held === undefined) yield started;
      else held.push(started);
      do {
        if (next.kind === 'text') text += next.text;
        else if (next.kind === 'tool-call') isPlain = false;
        const response = contentResponse(next);
        if (held === undefined) yield response;
        else {
          held.push(response);
          heldLength += lengthOf(next);
          if (heldLength > maxHeldLength) throw tooLarge('the completion that is held back', maxHeldLength);
        }
        next = await attempt.next();
      } while (!isResult(next));
    }
    const result = next;
    const isRefused = result.outcome === Outcome.FILTERED && work.retryFiltered;
    if (!isBroken(result) && !(isRefused && mayGoOn(policy, parts, result))) {
      if (!result.hasContent && !attempt.continues) {
        if (parts.length > 0 && held === undefined) yield resetResponse(parts);
        parts = [];
        if (held !== undefined) held.length = 0;
        yield startedResponse(attempt, work.warnings);
      }
      if (held !== undefined) yield* held;
      yield* endResponses(result, [...parts.map((part) => part.result.usage), result.usage], failover);
      return result.outcome;
    }
    if (result.hasContent) parts.push({ attempt, result });
    if (isRefused) {
      filtered = { attempt, step: result };
      // What a filter stopped is not gone on from.
      isPlain = false;
      failover.leave(attempt.target);
      continue;
    }
    const { adapter, name } = attempt.target;
    const code = attempt.target.redact(result.error?.code ?? '');
    log.warn(
      { provider: adapter, model: name, attempt: attempt.number, kind: result.error?.kind, code },
      'a model failed',
    );
    failover.note(attempt.target, result, attempt.continues);
    if (isFinal(attempt, result, failover) || !mayGoOn(policy, parts, result)) break;
  }

  const shown = held === undefined ? parts.at(-1)?.result : undefined;
  if (shown !== undefined) {
    const usages = parts.map(({ result }) => result.usage);
    yield* endResponses(shown, usages, failover);
    return shown.outcome;
  }
  if (filtered !== undefined && isResult(filtered.step)) {
    yield startedResponse(filtered.attempt, work.warnings);
    yield* endResponses(filtered.step, [filtered.step.usage], failover);
    return filtered.step.outcome;
  }
  throw failover.failure();
}

/** The first step of the turn, with a second attempt beside it where hedging wants one. */
async function firstStep(work: Work, attempt: Attempt, isFirst: boolean): Promise<FirstStep> {
  const { failover, metrics, hedgeDelayMs, hedgeMaxShare, hedgeShare } = work;
  if (hedgeDelayMs === undefined || !isFirst) return { attempt, step: await attempt.next() };
  hedgeShare.count();
  let second: Attempt | undefined;
  const startSecond = () => {
    if (!hedgeShare.tryAcquire(hedgeMaxShare)) {
      metrics.hedgeTotal.inc({ result: 'share_reached' });
      return undefined;
    }
    const turn = failover.tryOther(attempt.target);
    second = turn && work.start(turn, '');
    return second;
  };
  const first = await firstStepOf(attempt, hedgeDelayMs, startSecond, (failed, result) =>
    failover.note(failed.target, result, false),
  );
  if (second !== undefined) metrics.hedgeTotal.inc({ result: first.attempt === second ? 'second_won' : 'first_won' });
  return first;
}

/** Whether an answer that stopped may be finished elsewhere: nothing of it is out, or the caller said how. */
function mayGoOn(policy: MidStreamPolicy, parts: readonly unknown[], { hasContent }: AttemptResult): boolean {
  switch (policy) {
    case MidStreamPolicy.RESTART:
    case MidStreamPolicy.CONTINUE:
    case MidStreamPolicy.HOLD_BACK:
      return true;
    default:
      return parts.length === 0 && !hasContent;
  }
}

/** Whether no target can do better: the request itself is at fault, and not the part of an answer that came with it. */
function isFinal({ target, continues }: Attempt, { error, hasContent }: AttemptResult, failover: Failover): boolean {
  if (error?.remedy !== 'fix-request') return false;
  if (error.kind === 'too-long') return !failover.hasLonger(target);
  return !continues || hasContent;
}

function startedResponse({ model, target, number, warnings }: Attempt, more: readonly string[]): Response {
  const { name, adapter, redact } = target;
  const value = {
    model: model || name,
    provider: adapter,
    attempt: number,
    warnings: [...more, ...warnings.map(redact)],
  };
  return { event: { case: 'started', value } };
}

function resetResponse(parts: readonly { attempt: Attempt }[]): Response {
  const names = parts.map(({ attempt }) => attempt.model || attempt.target.name);
  return { event: { case: 'reset', value: { reason: `${names.join(', ')} broke off` } } };
}

function* endResponses(
  { outcome, reason }: AttemptResult,
  usages: readonly Usage[],
  failover: Failover,
): Iterable<Response> {
  const [first, ...rest] = usages;
  if (first !== undefined) yield { event: { case: 'usage', value: sumUsages([first, ...rest]) } };
  const value = { outcome, providerReason: reason.slice(0, 256).toWellFormed(), attemptCount: failover.attemptCount };
  yield { event: { case: 'done', value } };
}

function lengthOf(content: Content): number {
  return content.kind === 'tool-call' ? content.name.length + content.argumentsJson.length : content.text.length;
}

function contentResponse(content: Content): Response {
  switch (content.kind) {
    // Whole messages, for there are many of them, and the mount would have to make them of these.
    case 'text': {
      const value: TextDelta = { $typeName: 'ragmesh.llm_gateway.v1.TextDelta', text: content.text };
      return { $typeName: 'ragmesh.llm_gateway.v1.GenerateResponse', event: { case: 'textDelta', value } };
    }
    case 'reasoning':
      return { event: { case: 'reasoningDelta', value: { text: content.text } } };
    case 'tool-call': {
      const { index, id, name, argumentsJson } = content;
      return { event: { case: 'toolCallDelta', value: { index, id, name, argumentsJson } } };
    }
    default:
      return content satisfies never;
  }
}
