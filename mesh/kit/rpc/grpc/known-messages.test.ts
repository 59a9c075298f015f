import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { UnaryRequestSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createMessageReader } from './known-messages.ts';

const bytesOf = (text: string) => Buffer.from(toBinary(UnaryRequestSchema, create(UnaryRequestSchema, { text })));
const long = 'ä'.repeat(300);

test('a longer message that came twice is the same object from then on, whatever comes between', () => {
  const read = createMessageReader(UnaryRequestSchema, 1_000_000);
  expect(read(bytesOf(long))).toMatchObject({ text: long });
  const second = read(bytesOf(long));
  expect(second).toMatchObject({ text: long });
  expect(read(bytesOf(`${long}b`))).toMatchObject({ text: `${long}b` });
  expect(read(bytesOf(long))).toBe(second);
  const short = read(bytesOf('a'));
  expect(read(bytesOf('a'))).toEqual(short);
  expect(read(bytesOf('a'))).not.toBe(short);
});

test('what it keeps is bounded', () => {
  const read = createMessageReader(UnaryRequestSchema, 20_000);
  read(bytesOf(long));
  const second = read(bytesOf(long));
  for (let index = 0; index < 20; index++) read(bytesOf(`${long}${index}`));
  expect(read(bytesOf(long))).not.toBe(second);
  expect(read(bytesOf('x'.repeat(70_000)))).toMatchObject({ text: 'x'.repeat(70_000) });
});
