import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { SpendLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { fromTexts, toTexts } from './amounts.ts';

const none = toTexts(undefined);

test('a limit becomes texts and the same limit again, with what the form does not show', () => {
  const limit = { requestsPerMinute: 60n, costMicrosPerDay: 2_500_000n, maxConcurrent: 3, maxCompletionTokens: 100 };
  const message = create(SpendLimitSchema, limit);
  expect(toTexts(message)).toMatchObject({
    requests_per_minute: '60',
    cost_micros_per_day: '2.5',
    max_concurrent: '3',
  });
  expect(fromTexts(toTexts(message), message)).toEqual(limit);
});

test('what is no positive amount is no limit', () => {
  for (const text of ['', 'x', '0', '-1', '1e99'])
    expect(fromTexts({ ...none, tokens_per_minute: text }, undefined)).toBeUndefined();
  expect(fromTexts({ ...none, tokens_per_minute: ' 7 ' }, undefined)).toEqual({ tokensPerMinute: 7n });
});
