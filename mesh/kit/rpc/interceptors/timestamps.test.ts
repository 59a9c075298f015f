import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { GetUsageReportRequestSchema, RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { createCheck } from './validation.ts';

const check = createCheck();
const report =
  (seconds: bigint, nanos = 0) =>
  () =>
    check(GetUsageReportRequestSchema, create(GetUsageReportRequestSchema, { before: { seconds, nanos } }));

test.each([[0n], [-62_135_596_800n], [253_402_300_799n]])('%s seconds are a time', (seconds) => {
  expect(report(seconds)).not.toThrow();
});

test.each([
  [253_402_300_800n, 0],
  [-(2n ** 63n), 0],
  [2n ** 63n - 1n, 0],
  [0n, -1],
  [0n, 1_000_000_000],
])('%s seconds and %s nanoseconds are a mistake of the caller', (seconds, nanos) => {
  expect(report(seconds, nanos)).toThrow(/before: is no time/);
});

test('a message without its time is checked as before', () => {
  expect(() => check(RecordUsageRequestSchema, create(RecordUsageRequestSchema))).toThrow(/request_id|requestId/);
});
