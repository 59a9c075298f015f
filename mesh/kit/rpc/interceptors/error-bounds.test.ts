import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { BadRequestSchema } from '#gen/google/rpc/error_details_pb.ts';
import { errorInfoOf, invalidArgument } from '../../base/errors.ts';

test('an error is short, however much of it repeats what the caller has sent', () => {
  const violations = Array.from({ length: 5000 }, (_, index) => ({
    field: `a[${index}]`,
    description: '字'.repeat(5000),
  }));
  const error = invalidArgument(`x${'\u{1FA94}'.repeat(50_000)}`, { metadata: { id: 'y'.repeat(50_000) }, violations });
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toHaveLength(1500);
  expect(error.rawMessage.isWellFormed()).toBe(true);
  expect(errorInfoOf(error)?.metadata.id).toHaveLength(300);
  const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations;
  expect(fields).toHaveLength(12);
  expect(fields?.[0]).toMatchObject({ field: 'a[0]', description: expect.stringMatching(/^字{298} …$/) });
});
