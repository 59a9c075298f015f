import { type GenerateRequest, MidStreamPolicy, type Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { AttemptPermit, Failover } from '../failover/failover.ts';
import { decideRetry } from '../failover/retry.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type Answer, createAnswer, emptyAnswer, type Response } from './answer.ts';
import { type Attempt, isResult } from './attempt.ts';
import type { AttemptResult } from './attempt-state.ts';
import { type FirstStep, type HedgeShare, hedged } from './hedge.ts';

/** What the generation of a request depends on. */
export interface GenerateDeps {
  request: GenerateRequest;
  /** Warnings of the request; each attempt adds its own. */
  warnings: readonly string[];
  failover: Failover;
  /** Starts an attempt; `prefix` is the partial answer to continue. */
  start(permit: AttemptPermit, prefix: string): Attempt;
  /** Time before a second attempt, in milliseconds; `undefined`: requests are not hedged. */
  hedgeDelayMs: number | undefined;
  hedgeMaxShare: number;
  hedgeShare: HedgeShare;
  retryFiltered: boolean;
  metrics: GatewayMetrics;
  log: Logger;
}

/**
 * Generates an answer: attempt after attempt in the budget of the request, until one ends with a result. Whether another attempt follows
 * is decided in `failover/retry.ts`. Throws if the caller has received nothing and no target remains; otherwise the last message is
 * `done`, and only a provider's terminal event makes it a success. Returns the outcome.
 */
export async function* generate(deps: GenerateDeps): AsyncGenerator<Response, Outcome> {
  const { request, failover } = deps;
  const answer = createAnswer(request, deps.warnings);
  let refused: { attempt: Attempt; result: AttemptResult } | undefined;

  for (;;) {
    const partial = answer.continuableText;
    const mustContinue = partial !== '' && request.midStreamPolicy === MidStreamPolicy.CONTINUE_OR_FAIL;
    const permit = await failover.acquire(partial !== '', mustContinue);
    if (permit === undefined) break;
    const { attempt, step } = await firstStep(deps, permit, permit.continues ? partial : '');
    let next = step;
    if (!isResult(next)) {
      yield* answer.begin(attempt);
      do {
        const response = answer.add(next);
        if (response !== undefined) yield response;
        next = await attempt.next();
      } while (!isResult(next));
    }
    const result = next;
    const decision = decide(deps, answer, attempt, result);
    if (decision === 'finish') {
      yield* answer.finish(attempt, result, failover.attemptCount);
      return result.outcome;
    }
    answer.interrupt(attempt, result);
    if (decision === 'retry-elsewhere') {
      refused = { attempt, result };
      failover.exclude(attempt.target);
      continue;
    }
    reportFailure(deps, attempt, result);
    if (decision === 'stop') break;
  }

  const partial = answer.finishPartial(failover.attemptCount);
  if (partial !== undefined) {
    yield* partial.responses;
    return partial.outcome;
  }
  if (refused !== undefined) {
    const { attempt, result } = refused;
    yield* emptyAnswer(attempt, result, deps.warnings, failover.attemptCount);
    return result.outcome;
  }
  throw failover.toError();
}

function decide(
  { request, failover, retryFiltered }: GenerateDeps,
  answer: Answer,
  attempt: Attempt,
  result: AttemptResult,
) {
  return decideRetry(result, {
    policy: request.midStreamPolicy,
    hasSentContent: answer.hasContent || result.hasContent,
    canContinue: answer.continuableText !== '',
    retryFiltered,
    continues: attempt.continues,
    hasLongerContext: () => failover.hasLongerContext(attempt.target),
  });
}

function reportFailure({ failover, log }: GenerateDeps, attempt: Attempt, result: AttemptResult): void {
  const { adapter, name, redact } = attempt.target;
  const { error } = result;
  log.warn(
    {
      event: 'llm_attempt_failed',
      provider: adapter,
      model: name,
      attempt: attempt.number,
      kind: error?.kind,
      code: redact(error?.code ?? ''),
    },
    'attempt failed',
  );
  failover.recordFailure(attempt.target, result, attempt.continues);
}

/** Starts the attempt, and a second one beside it if the request is hedged. Returns the attempt to continue with. */
async function firstStep(deps: GenerateDeps, permit: AttemptPermit, prefix: string): Promise<FirstStep> {
  const { failover, metrics, hedgeDelayMs, hedgeMaxShare, hedgeShare } = deps;
  const attempt = deps.start(permit, prefix);
  const isFirst = permit.number === 1;
  if (!isFirst) metrics.fallbackTotal.inc({ model: permit.target.name, how: prefix === '' ? 'restart' : 'continue' });
  if (hedgeDelayMs === undefined || !isFirst) return { attempt, step: await attempt.next() };
  hedgeShare.count();
  let second: Attempt | undefined;
  const startSecond = () => {
    if (!hedgeShare.tryAcquire(hedgeMaxShare)) {
      metrics.hedgeTotal.inc({ result: 'share_reached' });
      return undefined;
    }
    const other = failover.tryAcquireOther(attempt.target);
    second = other && deps.start(other, '');
    return second;
  };
  const first = await hedged(attempt, hedgeDelayMs, startSecond, (failed, result) =>
    failover.recordFailure(failed.target, result, false),
  );
  if (second !== undefined) metrics.hedgeTotal.inc({ result: first.attempt === second ? 'second_won' : 'first_won' });
  return first;
}
