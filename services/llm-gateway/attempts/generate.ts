import { type GenerateRequest, MidStreamPolicy, type Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { AttemptPermit, Failover } from '../failover/failover.ts';
import { decideRetry } from '../failover/retry.ts';
import type { GatewayMetrics } from '../metrics.ts';
import { type Answer, createAnswer, emptyAnswer, type Response, type Standing } from './answer.ts';
import { type Attempt, isResult } from './attempt.ts';
import type { AttemptResult } from './attempt-state.ts';
import { type FirstStep, type HedgeShare, hedged } from './hedge.ts';

/** What the generation of a request depends on. */
export interface GenerateDeps {
  request: GenerateRequest;
  /** Warnings of the request; each attempt adds its own. */
  warnings: readonly string[];
  standing: Standing;
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
 * `done`, and only a provider's terminal event makes it a success. Messages that are there together are a list. Returns the outcome.
 */
export async function* generate(deps: GenerateDeps): AsyncGenerator<Response | Response[], Outcome> {
  const { request, failover } = deps;
  const answer = createAnswer(request, deps);
  let refused: Refused | undefined;

  for (;;) {
    const partial = answer.continuableText;
    const mustContinue = partial !== '' && request.midStreamPolicy === MidStreamPolicy.CONTINUE_OR_FAIL;
    const permit = await failover.acquire(partial !== '', mustContinue);
    if (permit === undefined) break;
    const { attempt, step } = await firstStep(deps, permit, permit.continues ? partial : '');
    let next = step;
    if (!isResult(next)) {
      const begun = answer.begin(attempt, next);
      if (begun.length > 0) yield begun;
      for (next = await attempt.next(); !isResult(next); next = await attempt.next()) {
        const response = answer.add(next);
        if (response !== undefined) yield response;
      }
    }
    const result = next;
    const decision = decide(deps, answer, attempt, result);
    if (decision === 'finish') {
      yield answer.finish(attempt, result, failover.attemptCount);
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

  const last = unfinished(deps, answer, refused);
  yield last.responses;
  return last.outcome;
}

/** An attempt that a content filter refused, and that another target may answer. */
interface Refused {
  attempt: Attempt;
  result: AttemptResult;
}

/** Returns the end of an answer that no attempt has finished. Throws if the caller has received nothing. */
function unfinished(deps: GenerateDeps, answer: Answer, refused: Refused | undefined) {
  const { failover } = deps;
  const partial = answer.finishPartial(failover.attemptCount);
  if (partial !== undefined) return partial;
  if (refused === undefined) throw failover.toError();
  const { attempt, result } = refused;
  return { responses: emptyAnswer(attempt, result, deps, failover.attemptCount), outcome: result.outcome };
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
