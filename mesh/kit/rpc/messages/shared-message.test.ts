import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { UnaryRequestSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { formOf, shareMessage, toBytes } from './shared-message.ts';

test('each form of a shared message is made once, that of any other message each time', () => {
  let madeCount = 0;
  const make = () => `made ${++madeCount}`;
  const once = create(UnaryRequestSchema, { text: 'a' });
  expect([formOf(once, 'x', make), formOf(once, 'x', make)]).toEqual(['made 1', 'made 2']);
  const shared = shareMessage(create(UnaryRequestSchema, { text: 'a' }));
  expect([formOf(shared, 'x', make), formOf(shared, 'x', make)]).toEqual(['made 3', 'made 3']);
  expect(formOf(shared, 'y', make)).toBe('made 4');
  expect(toBytes(UnaryRequestSchema, shared)).toBe(toBytes(UnaryRequestSchema, shareMessage(shared)));
  expect(toBytes(UnaryRequestSchema, once)).toEqual(toBytes(UnaryRequestSchema, shared));
});
