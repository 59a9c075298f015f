import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type CheckKind, type CheckSchema, Verdict } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { Metrics } from './samples.ts';

/** What a check found. */
export type Result = Omit<MessageInitShape<typeof CheckSchema>, 'kind' | '$typeName'>;

/** One thing that a check judges, by metrics and configuration. */
export interface Check {
  kind: CheckKind;
  judge(metrics: Metrics, config: Config): Result;
}

/** Returns a figure. */
export const figure = (name: string, value: number, unit = '') => ({ name, value, unit });

/** Returns a share as a figure, in percent; 0 of 0 is 0. */
export const share = (name: string, part: number, whole: number) =>
  figure(name, whole === 0 ? 0 : Math.round((part / whole) * 1000) / 10, '%');

/** Returns the result of a check that has too little to judge. */
export function tooLittle(what: string, count: number, needed: number): Result {
  const finding = `too little to judge: ${Math.max(0, Math.round(count))} ${what}, ${needed} are needed`;
  return { verdict: Verdict.UNKNOWN, finding, evidence: [figure(what, Math.max(0, count))] };
}
