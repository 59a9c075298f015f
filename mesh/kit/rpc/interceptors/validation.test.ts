import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { GateSchema } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { createCheck } from './validation.ts';

test('an enum that was not given is asked for in words, not as a number in a list', () => {
  expect(() => createCheck()(GateSchema, create(GateSchema))).toThrow(/mode: must be one of the names/);
});
