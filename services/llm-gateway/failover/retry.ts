import { MidStreamPolicy, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type AttemptResult, isBroken } from '../attempts/attempt-state.ts';

// Whether another attempt follows one that has ended. At which target, and when, is decided in `state.ts`.

/** What a decision depends on beside the result of the attempt. */
export interface RetryInput {
  /** The caller's policy for an answer that ends early. */
  readonly policy: MidStreamPolicy;
  /** Whether this attempt or an earlier one has sent content to the caller. */
  readonly hasSentContent: boolean;
  /** Whether the caller has text that another target can continue. */
  readonly canContinue: boolean;
  /** Whether the configuration retries after a content filter. */
  readonly retryFiltered: boolean;
  /** Whether the attempt continued a partial answer. */
  readonly continues: boolean;
  /** Returns whether a remaining target may take a longer prompt. */
  hasLongerContext(): boolean;
}

/**
 * What follows an attempt. `finish`: its result is the result of the request. `retry`: another attempt, also at this target.
 * `retry-elsewhere`: another attempt, but not at this target, whose content filter refused. `stop`: the request ends with the failure, or
 * with the part of the answer that the caller has.
 */
export type RetryDecision = 'finish' | 'retry' | 'retry-elsewhere' | 'stop';

/** Returns what follows an attempt. */
export function decideRetry(
  result: Pick<AttemptResult, 'outcome' | 'error' | 'hasContent'>,
  input: RetryInput,
): RetryDecision {
  const mayReplace = !input.hasSentContent || mayReplaceContent(input.policy);
  if (!isBroken(result)) {
    // What a content filter stopped is not continued.
    const isRetried = result.outcome === Outcome.FILTERED && input.retryFiltered && mayReplace;
    return isRetried ? 'retry-elsewhere' : 'finish';
  }
  const mayContinue = input.policy === MidStreamPolicy.CONTINUE_OR_FAIL && input.canContinue;
  return (mayReplace || mayContinue) && !isFinal(result, input) ? 'retry' : 'stop';
}

/** Returns whether the policy allows another attempt after the caller has received content. */
function mayReplaceContent(policy: MidStreamPolicy): boolean {
  switch (policy) {
    case MidStreamPolicy.RESTART:
    case MidStreamPolicy.CONTINUE:
    case MidStreamPolicy.HOLD_BACK:
      return true;
    default:
      return false;
  }
}

/** Returns whether no target can help: the request itself is invalid, and not the partial answer that was sent with it. */
function isFinal(
  { error, hasContent }: Pick<AttemptResult, 'error' | 'hasContent'>,
  { continues, hasLongerContext }: RetryInput,
): boolean {
  if (error?.remedy !== 'fix-request') return false;
  if (error.kind === 'too-long') return !hasLongerContext();
  return !continues || hasContent;
}
