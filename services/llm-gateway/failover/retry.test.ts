import { expect, test } from 'vitest';
import { MidStreamPolicy, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { ProviderError } from '../providers/error.ts';
import { decideRetry, type RetryDecision, type RetryInput } from './retry.ts';

const fault = (init: Partial<ConstructorParameters<typeof ProviderError>[0]>) =>
  new ProviderError({ remedy: 'retry', message: 'failed', ...init });
const invalid = fault({ remedy: 'fix-request', kind: 'invalid' });
const tooLong = fault({ remedy: 'fix-request', kind: 'too-long' });
const { COMPLETE, LENGTH, FILTERED, TRUNCATED, UPSTREAM_ERROR } = Outcome;
const { FAIL, RESTART, CONTINUE, CONTINUE_OR_FAIL, HOLD_BACK, UNSPECIFIED } = MidStreamPolicy;

type Init = Partial<RetryInput> & { error?: ProviderError; hasContent?: boolean };

test.each<[string, Outcome, Init, RetryDecision]>([
  ['a complete answer is the result', COMPLETE, {}, 'finish'],
  ['an answer that is cut by its limit is the result', LENGTH, { hasContent: true }, 'finish'],
  ['a refusal of a filter is the result', FILTERED, {}, 'finish'],
  ['a refusal of a filter is retried elsewhere if configured', FILTERED, { retryFiltered: true }, 'retry-elsewhere'],
  [
    'a refusal after content is the result without a policy',
    FILTERED,
    { retryFiltered: true, hasSentContent: true },
    'finish',
  ],
  ['a failure before any content is retried', UPSTREAM_ERROR, { error: fault({}) }, 'retry'],
  ['a truncated answer without content is retried', TRUNCATED, {}, 'retry'],
  ['a failure after content stops with FAIL', UPSTREAM_ERROR, { policy: FAIL, hasSentContent: true }, 'stop'],
  ['a failure after content stops by default', TRUNCATED, { policy: UNSPECIFIED, hasSentContent: true }, 'stop'],
  ['a failure after content is retried with RESTART', TRUNCATED, { policy: RESTART, hasSentContent: true }, 'retry'],
  ['a failure after content is retried with CONTINUE', TRUNCATED, { policy: CONTINUE, hasSentContent: true }, 'retry'],
  [
    'a failure after text is retried with CONTINUE_OR_FAIL',
    TRUNCATED,
    { policy: CONTINUE_OR_FAIL, hasSentContent: true, canContinue: true },
    'retry',
  ],
  [
    'a failure after content that cannot be continued stops with CONTINUE_OR_FAIL',
    TRUNCATED,
    { policy: CONTINUE_OR_FAIL, hasSentContent: true },
    'stop',
  ],
  ['a failure of held content is retried', TRUNCATED, { policy: HOLD_BACK, hasSentContent: true }, 'retry'],
  ['an invalid request is not retried', UPSTREAM_ERROR, { error: invalid, policy: RESTART }, 'stop'],
  [
    'a rejected partial answer is retried',
    UPSTREAM_ERROR,
    { error: invalid, policy: CONTINUE, continues: true },
    'retry',
  ],
  [
    'a continuation that fails after its own content is not retried',
    UPSTREAM_ERROR,
    { error: invalid, policy: CONTINUE, continues: true, hasContent: true },
    'stop',
  ],
  ['a long prompt stops without a longer context', UPSTREAM_ERROR, { error: tooLong }, 'stop'],
  [
    'a long prompt is retried with a longer context',
    UPSTREAM_ERROR,
    { error: tooLong, hasLongerContext: () => true },
    'retry',
  ],
])('%s', (_, outcome, { error, hasContent = false, ...init }, wanted) => {
  const input: RetryInput = {
    policy: FAIL,
    canContinue: false,
    hasSentContent: hasContent,
    retryFiltered: false,
    continues: false,
    hasLongerContext: () => false,
    ...init,
  };
  expect(decideRetry({ outcome, error, hasContent }, input)).toBe(wanted);
});
