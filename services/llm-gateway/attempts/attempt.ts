import { type Context, context } from '@opentelemetry/api';
import type { Prices } from '../accounting/prices.ts';
import { createUsageMeter, toTokenUsage } from '../accounting/usage.ts';
import type { AttemptPermit } from '../failover/failover.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { ProviderError } from '../providers/error.ts';
import type { Content, ProviderEvent, ProviderRequest } from '../providers/llm-provider.ts';
import type { Target } from '../targets/target.ts';
import { createAttemptReport } from './attempt-report.ts';
import {
  type AttemptResult,
  type AttemptState,
  type FinalEvent,
  type FinishedAttempt,
  initialAttempt,
  next,
} from './attempt-state.ts';
import { isContent, startTimed } from './clocks.ts';
import { createContentNormalizer } from './content-normalizer.ts';

/** One request at one target. */
export interface Attempt {
  readonly target: Target;
  /** Number of the attempt in its request, from 1. */
  readonly number: number;
  /** Whether it continues a partial answer. */
  readonly continues: boolean;
  /** Name of the model from the response; empty before. */
  readonly model: string;
  readonly warnings: readonly string[];
  /** Returns the next content, or the result: then everything is released. Throws only the caller's reason. */
  next(): Promise<Content | AttemptResult>;
  /** Ends the attempt, because the request no longer needs its answer. Later calls change nothing. */
  cancel(reason: unknown): void;
}

/** What an attempt depends on. */
export interface AttemptDeps {
  metrics: GatewayMetrics;
  prices: Prices;
  /** Returns the tokens of the prompt by the gateway's own count. */
  promptTokens: () => number;
  /** Makes an id for a tool call to which the provider gives none. */
  newCallId: () => string;
  signal: AbortSignal;
  /** The parent of its span. */
  parent: Context;
  /** Receives the result once, when the attempt is over for any reason. */
  onOver(attempt: Attempt, result: AttemptResult): void;
}

const noTokens = {
  promptTokens: 0,
  completionTokens: 0,
  cachedPromptTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

/**
 * Starts a request at a target: it reads the provider's events, reports them to `attempt-state.ts`, and executes what follows. Slot,
 * breaker, span, clocks and connection are released exactly once, whatever the end.
 */
export function startAttempt(permit: AttemptPermit, request: ProviderRequest, deps: AttemptDeps): Attempt {
  const { target, number, continues } = permit;
  const startedAt = performance.now();
  const report = createAttemptReport(target, request, number, deps);
  // Spans and log lines of adapters belong to the attempt; without a recording span there is nothing to belong to.
  const inner = report.span.isRecording() ? deps.parent : undefined;
  const own = (request.whole ? target.wholeClocks : undefined) ?? target.clocks;
  const clocks = permit.firstTokenMs < own.firstTokenMs ? { ...own, firstTokenMs: permit.firstTokenMs } : own;
  const start = () => startTimed((signal) => target.provider.generate(request, signal), clocks, deps.signal);
  const events = inner === undefined ? start() : context.with(inner, start);
  const meter = createUsageMeter(deps.promptTokens, target.capabilities.contextTokens);
  const normalizer = createContentNormalizer(deps.newCallId);
  let state: AttemptState = initialAttempt(target.capabilities.generative, permit.breaker.isProbe);
  let model = '';
  let warnings: readonly string[] = [];
  let firstContentMs: number | undefined;
  let contentAt = startedAt;
  let result: AttemptResult | undefined;
  // Content that arrived together with the content that was returned last.
  let waiting: Content | undefined;
  // Content that the normalizer held back until the stream was over.
  let tail: Content[] = [];

  const finish = (event: FinalEvent, cause: unknown): AttemptResult => {
    if (result !== undefined) return result;
    const over = next(state, event);
    state = over;
    events.stop(cause);
    permit.releaseSlot();
    const used = meter.total(over.isWhole);
    const isUsed = over.hasStarted || over.isCharged;
    const usage = toTokenUsage(target.name, isUsed ? used : { ...used, ...noTokens }, deps.prices);
    const { outcome, error, hasContent, isCharged } = over;
    result = { outcome, reason: target.redact(over.reason), error, hasContent, usage, isCharged };
    reportToBreaker(permit, over);
    const elapsedMs = performance.now() - startedAt;
    report.finished(over, usage, { elapsedMs, firstContentMs: request.whole ? undefined : firstContentMs, model });
    deps.onOver(attempt, result);
    return result;
  };
  /** Applies an event, and returns its content. */
  const take = (event: ProviderEvent): Content | undefined => {
    switch (event.kind) {
      case 'started':
        model = target.redact(event.model).toWellFormed();
        warnings = [...request.warnings, ...event.warnings];
        state = next(state, started);
        return undefined;
      case 'usage':
        meter.report(event.usage);
        return undefined;
      case 'end':
        state = next(state, { ...event, reason: target.redact(event.reason).toWellFormed() });
        return undefined;
      default: {
        if (!isContent(event)) return undefined;
        const content = normalizer.take(event);
        if (content !== undefined) meter.write(writtenIn(content));
        return content;
      }
    }
  };
  /** Returns the content merged with content of the same kind that has already arrived. */
  const merged = (content: Content): Content => {
    state = next(state, started);
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
    const now = performance.now();
    if (firstContentMs === undefined) {
      firstContentMs = now - startedAt;
      state = next(state, { kind: 'content' });
      // The first content of a reply in one piece is all of it.
      if (!request.whole) report.firstContent(firstContentMs, model);
      // A long answer must not keep other requests from a target that works again.
      if (permit.breaker.isProbe) permit.breaker.succeed();
    } else {
      report.nextContent(now - contentAt, model);
    }
    contentAt = now;
    return whole;
  };
  const read = async (): Promise<Content | AttemptResult> => {
    for (;;) {
      const content = waiting ?? tail.shift();
      if (content !== undefined) {
        waiting = undefined;
        return merged(content);
      }
      const event = events.ready() ?? (await (inner === undefined ? events.next() : context.with(inner, events.next)));
      if (event === undefined) tail = normalizer.end();
      else waiting = take(event);
      if (event === undefined && tail.length === 0) return finish({ kind: 'closed' }, over);
    }
  };
  const onThrown = (thrown: unknown): AttemptResult => {
    if (result !== undefined) return result;
    if (deps.signal.aborted) {
      finish({ kind: 'cancelled', reason: 'the caller left' }, deps.signal.reason);
      throw deps.signal.reason;
    }
    const error = thrown instanceof ProviderError ? thrown : adapterError(target, thrown);
    return finish({ kind: 'failed', error }, error);
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
      finish({ kind: 'cancelled', reason: 'cancelled' }, reason);
    },
  };
  return attempt;
}

// One object, because each token reports it.
const started = { kind: 'started' } as const;

function reportToBreaker({ target, breaker }: AttemptPermit, { breakerReport }: FinishedAttempt): void {
  switch (breakerReport) {
    case 'succeed':
      breaker.succeed();
      break;
    case 'fail':
      breaker.fail();
      break;
    case 'fail-again':
      target.breaker.tryAcquire()?.fail();
      break;
    case 'ignore':
      breaker.ignore();
      break;
    default:
      breakerReport satisfies never;
  }
}

function writtenIn(content: Content): string {
  return content.kind === 'tool-call' ? content.name + content.argumentsJson : content.text;
}

const over = new DOMException('the attempt is over', 'AbortError');

/** Returns the error of an adapter that broke its port: a bug of the gateway. The text of `thrown` may be the provider's. */
function adapterError(target: Target, thrown: unknown): ProviderError {
  const cause = thrown instanceof Error ? new Error(target.redact(`${thrown.name}: ${thrown.message}`)) : undefined;
  const message = `the adapter ${target.adapter} failed`;
  return new ProviderError({ remedy: 'elsewhere', kind: 'broken', code: 'adapter_failed', message, cause });
}

/** Returns whether a step of an attempt is its result. */
export function isResult(step: Content | AttemptResult): step is AttemptResult {
  return !('kind' in step);
}
