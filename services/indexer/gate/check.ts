import { create } from '@bufbuild/protobuf';
import {
  type GateCheck,
  GateCheckSchema,
  type GateFinding,
  type GateFindingKind,
  GateFindingSchema,
} from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { sentenceOf } from './sentence.ts';

/** What a check found; its sentence is made from `findings`. */
export type CheckInit = Pick<GateCheck, 'kind' | 'passed' | 'findings'> &
  Partial<Pick<GateCheck, 'checkedCount' | 'documentIds'>>;

/** Returns the result of a check, with what was found in words too. */
export function toCheck({ findings, ...check }: CheckInit): GateCheck {
  return create(GateCheckSchema, { ...check, findings, finding: sentenceOf(findings) });
}

/** Returns a finding. */
export function findingOf(
  kind: GateFindingKind,
  values: { count?: number; total?: number; name?: string; live?: number; checked?: number } = {},
): GateFinding {
  const { count = 0, total = 0, ...others } = values;
  return create(GateFindingSchema, { kind, count: BigInt(count), total: BigInt(total), ...others });
}

/** Document ids of a finding. */
export const namedMax = 20;

/** Returns at most `count` of the values, at even distances. */
export function sampleOf<T>(values: readonly T[], count: number): T[] {
  if (values.length <= count) return [...values];
  return Array.from({ length: count }, (_, index) => values[Math.floor((index * values.length) / count)] as T);
}
