import { type Context, context } from '@opentelemetry/api';
import { Outcome, OutcomeSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Prices } from '../accounting/prices.ts';
import { createUsageMeter, toTokenUsage, type Usage } from '../accounting/usage.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { ProviderError } from '../providers/error.ts';
import type { ProviderEvent, ProviderRequest } from '../providers/llm-provider.ts';
import type { BreakerPermit } from '../targets/breaker.ts';
import type { Target } from '../targets/target.ts';
import { isContent, startTimed } from './clocks.ts';
import { createContentNormalizer } from './content-normalizer.ts';
import { endSpan, startAttemptSpan } from './gen-ai-attributes.ts';

/** Content of a completion. */
export type Content = Extract<ProviderEvent, { kind: 'text' | 'reasoning' | 'tool-call' }>;

/** What an attempt came to. */
export interface AttemptResult {
  outcome: Outcome;
  /** The provider's own word for the outcome, or what went wrong. */
  reason: string;
  /** What was thrown; `undefined` where the provider ended by itself. */
  error: ProviderError | undefined;
  hasContent: boolean;
  usage: Usage;
  /** Whether the provider did work that it will want money for, as far as one can tell. */
  isCharged: boolean;
}

/** One request at one target. */
export interface Attempt {
  readonly target: Target;
  /** Which attempt of its request, from 1. */
  readonly number: number;
  /** Whether it goes on from a part of an answer. */
  readonly continues: boolean;
  /** Name of the model as the reply gives it; empty before. */
  readonly model: string;
  readonly warnings: readonly string[];
  /** The next content, or the result: then everything is freed. Throws only the caller's reason. */
  next(): Promise<Content | AttemptResult>;
  /** Ends it where it is: nobody wants its answer any more. Later calls change nothing. */
  cancel(reason: unknown): void;
}

/** A slot at a target and leave of its breaker. */
export interface Turn {
  target: Target;
  number: number;
  continues: boolean;
  pass: BreakerPermit;
  freeSlot(): void;
  /** How long to wait for its first content, in milliseconds: its target's clock, or less where time is short. */
  firstTokenMs: number;
}

/** What an attempt is given. */
export interface AttemptDeps {
  metrics: GatewayMetrics;
  prices: Prices;
  /** Tokens of the prompt by our own count. */
  promptTokens: () => number;
  /** Makes an id for a tool call to which the provider gives none. */
  newCallId: () => string;
  signal: AbortSignal;
  /** Where its span belongs. */
  parent: Context;
  /** Told once, when it is over for any reason. */
  onOver(attempt: Attempt, result: AttemptResult): void;
}

/** Whether an attempt stopped short: neither a result of the model nor a refusal. */
export function isBroken({ outcome }: Pick<AttemptResult, 'outcome'>): boolean {
  return outcome === Outcome.TRUNCATED || outcome === Outcome.UPSTREAM_ERROR || outcome === Outcome.UNSPECIFIED;
}

/** Failures that say something of the target, not of the request or of how fast requests come. */
const ills: ReadonlySet<ProviderError['kind']> = new Set([
  'quota',
  'auth',
  'model-unknown',
  'overloaded',
  'timeout',
  'broken',
]);

const nothing = {
  promptTokens: 0,
  completionTokens: 0,
  cachedPromptTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

/**
 * Starts a request at a target. A stream that stops without `end` is TRUNCATED, one that fails is UPSTREAM_ERROR: neither is ever
 * COMPLETE. Slot, breaker, span, clocks and connection are let go exactly once, however it ends.
 */
export function startAttempt(turn: Turn, request: ProviderRequest, deps: AttemptDeps): Attempt {
  const { target, number, continues, pass, freeSlot } = turn;
  const { metrics, prices } = deps;
  const startedAt = performance.now();
  const span = startAttemptSpan(target, request, number, deps.parent);
  // Adapters' own spans and log lines belong to the attempt; without a recording span there is nothing to belong to.
  const inner = span.isRecording() ? deps.parent : undefined;
  const run = <T>(work: () => T): T => (inner === undefined ? work() : context.with(inner, work));
  const { firstTokenMs: firstMs } = turn;
  const clocks = firstMs < target.clocks.firstTokenMs ? { ...target.clocks, firstTokenMs: firstMs } : target.clocks;
  const events = run(() => startTimed((signal) => target.provider.generate(request, signal), clocks, deps.signal));
  const meter = createUsageMeter(deps.promptTokens, target.capabilities.contextTokens);
  const whole = createContentNormalizer(deps.newCallId);
  let model = '';
  let warnings: readonly string[] = [];
  let hasStarted = false;
  let firstTokenMs: number | undefined;
  let end: { outcome: Outcome; reason: string } | undefined;
  let result: AttemptResult | undefined;
  // Content that came together with what was handed on last.
  let waiting: Content | undefined;
  // What was held back until the end.
  let tail: Content[] = [];

  const noteContent = () => {
    if (firstTokenMs !== undefined) return;
    firstTokenMs = performance.now() - startedAt;
    target.latency.observe(firstTokenMs);
    metrics.firstTokenMs.observe({ provider: target.adapter, model: labelOf() }, firstTokenMs);
    // A long answer must not keep the others from a target that is well again.
    if (pass.isProbe) pass.succeed();
  };
  const labelOf = () => model || target.provider.name;
  const tellBreaker = ({ outcome, error }: { outcome: Outcome; error: ProviderError | undefined }) => {
    if (outcome === Outcome.CANCELLED) pass.drop();
    else if (error !== undefined ? !ills.has(error.kind) : false) pass.drop();
    else if (!isBroken({ outcome })) pass.succeed();
    else if (pass.isProbe && firstTokenMs !== undefined) target.breaker.tryAcquire()?.fail();
    else pass.fail();
  };
  const finish = (
    outcome: Outcome,
    reason: string,
    error: ProviderError | undefined,
    cause: unknown,
  ): AttemptResult => {
    if (result !== undefined) return result;
    events.stop(cause);
    freeSlot();
    // A provider that was given up before it answered may have begun; one that answered with an error has not.
    const wasCancelled = outcome === Outcome.CANCELLED || error?.kind === 'timeout';
    const isCharged =
      target.capabilities.generative && (hasStarted || (wasCancelled && error?.code !== 'connect_timeout'));
    const used = meter.total(end !== undefined && !isBroken(end));
    const usage = toTokenUsage(target.name, hasStarted || isCharged ? used : { ...used, ...nothing }, prices);
    result = { outcome, reason, error, hasContent: firstTokenMs !== undefined, usage, isCharged };
    tellBreaker(result);
    if (error?.kind === 'timeout' && firstTokenMs === undefined) target.latency.observe(performance.now() - startedAt);
    const failure = error === undefined ? '' : error.code || error.kind;
    const labels = { provider: target.adapter, model: labelOf() };
    metrics.attemptTotal.inc({ ...labels, result: error?.kind ?? enumName(OutcomeSchema, outcome).toLowerCase() });
    metrics.llmLatencyMs.observe(labels, performance.now() - startedAt);
    if (isCharged || hasStarted) {
      metrics.promptTokens.inc({ model: labels.model }, Number(usage.promptTokens));
      metrics.completionTokens.inc({ model: labels.model }, Number(usage.completionTokens));
      if (usage.costMicros !== undefined) {
        metrics.costMicros.inc({ model: target.name, currency: usage.currency }, Number(usage.costMicros));
      }
    }
    endSpan(span, {
      outcome,
      model,
      failure: target.redact(failure),
      usage: hasStarted ? usage : undefined,
      firstTokenMs,
    });
    deps.onOver(attempt, result);
    return result;
  };
  /** Takes an event in; content is returned. */
  const take = (event: ProviderEvent): Content | undefined => {
    switch (event.kind) {
      case 'started':
        hasStarted = true;
        model = target.redact(event.model).toWellFormed();
        warnings = event.warnings;
        return undefined;
      case 'usage':
        meter.report(event.usage);
        return undefined;
      case 'end':
        end = { outcome: event.outcome, reason: target.redact(event.reason).toWellFormed() };
        tail = whole.end();
        return tail.shift();
      default: {
        if (!isContent(event)) return undefined;
        const content = whole.take(event);
        if (content !== undefined) meter.write(writtenIn(content));
        return content;
      }
    }
  };
  /** The content, together with what is there already and can be told in one. */
  const joined = (content: Content): Content => {
    hasStarted = true;
    let whole = content;
    for (let event = events.ready(); event !== undefined; event = events.ready()) {
      const more = take(event);
      if (more === undefined) continue;
      if (more.kind === 'tool-call' || more.kind !== whole.kind) {
        waiting = more;
        break;
      }
      whole = { kind: more.kind, text: (whole as typeof more).text + more.text };
    }
    noteContent();
    return whole;
  };
  const read = async (): Promise<Content | AttemptResult> => {
    for (;;) {
      const content = waiting ?? tail.shift();
      if (content !== undefined) {
        waiting = undefined;
        return joined(content);
      }
      const event = events.ready() ?? (await (inner === undefined ? events.next() : context.with(inner, events.next)));
      if (event === undefined) {
        if (end !== undefined) return finish(end.outcome, end.reason, undefined, over);
        return finish(Outcome.TRUNCATED, 'the stream ended without a terminal event', undefined, over);
      }
      waiting = take(event);
    }
  };
  const attempt: Attempt = {
    target,
    number,
    continues,
    get model() {
      return model;
    },
    get warnings() {
      return warnings;
    },
    next: () => (result === undefined ? read().catch(onThrown) : Promise.resolve(result)),
    cancel(reason) {
      finish(Outcome.CANCELLED, 'given up', undefined, reason);
    },
  };
  const onThrown = (thrown: unknown): AttemptResult => {
    if (result !== undefined) return result;
    if (deps.signal.aborted) {
      finish(Outcome.CANCELLED, 'the caller went away', undefined, deps.signal.reason);
      throw deps.signal.reason;
    }
    // After the end there is nothing left to lose but the usage, which is then estimated.
    if (end !== undefined) return finish(end.outcome, end.reason, undefined, over);
    const error = thrown instanceof ProviderError ? thrown : bugIn(target, thrown);
    return finish(Outcome.UPSTREAM_ERROR, target.redact(error.message), error, error);
  };
  return attempt;
}

function writtenIn(content: Content): string {
  return content.kind === 'tool-call' ? content.name + content.argumentsJson : content.text;
}

const over = new DOMException('the attempt is over', 'AbortError');

/** What an adapter throws beside its port is a bug of ours; its text may be the provider's. */
function bugIn(target: Target, thrown: unknown): ProviderError {
  const cause = thrown instanceof Error ? new Error(target.redact(`${thrown.name}: ${thrown.message}`)) : undefined;
  const message = `the adapter ${target.adapter} failed`;
  return new ProviderError({ remedy: 'elsewhere', kind: 'broken', code: 'adapter_failed', message, cause });
}

/** Whether a step of an attempt is its result. */
export function isResult(step: Content | AttemptResult): step is AttemptResult {
  return !('kind' in step);
}
