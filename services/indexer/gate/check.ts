import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GateCheckSchema } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';

/** The result of one check, as the report has it. */
export type CheckInit = MessageInitShape<typeof GateCheckSchema>;

/** Document ids of a finding. */
export const namedMax = 20;

/** Returns at most `count` of the values, at even distances. */
export function sampleOf<T>(values: readonly T[], count: number): T[] {
  if (values.length <= count) return [...values];
  return Array.from({ length: count }, (_, index) => values[Math.floor((index * values.length) / count)] as T);
}
