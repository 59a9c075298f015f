import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { quotes } from './passage.ts';

const text = `In these cases a second person decides:

1. the account is not the one that paid;
2. the phone number is new.

Not covered:

- damage by frost`;
const passage = create(PassageSchema, { title: 'Refunds', text });

test.each([
  ['the phone number is new', true],
  ['in these cases a second person decides: the account is not the one that paid.', true],
  ['in these cases a second person decides: the phone number is new', true],
  ['in these cases a second person decides: damage by frost', false],
  ['not covered: the phone number is new', false],
  ['not covered: damage by frost', true],
])('%s is quoted: %s', (claim, isQuoted) => {
  expect(quotes(passage, claim)).toBe(isQuoted);
});
