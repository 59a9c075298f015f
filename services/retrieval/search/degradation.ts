import { create } from '@bufbuild/protobuf';
import { type Degradation, DegradationSchema, type Stage, StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { deadlineExceeded, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics.ts';
import { within } from '#kit/base/within.ts';

/** Longest reason of a degradation, in UTF-16 code units; the contract's bound. */
const maxReason = 512;

/**
 * Runs a stage for at most `timeoutMs`, and until `parent` aborts. Ends on time even if the work ignores its signal; a late result or
 * error is dropped.
 */
export function runStage<T>(
  timeoutMs: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const toTimeoutError = () => deadlineExceeded(`no result after ${timeoutMs} ms`);
  return within(work, { timeoutMs, signals: [parent], toTimeoutError });
}

/** What {@link reportDegradation} needs. */
export interface DegradationDeps {
  log: Logger;
  metrics: Metrics;
}

/** Counts and logs a stage that failed or was late, and returns the degradation for the answer. `effect` says what was done instead. */
export function reportDegradation(
  { log, metrics }: DegradationDeps,
  stage: Stage,
  thrown: unknown,
  effect: string,
): Degradation {
  const error = toRpcError(thrown);
  const name = enumName(StageSchema, stage).toLowerCase();
  metrics.degradationTotal.inc({ stage: name });
  log.warn({ event: 'stage_degraded', stage: name, err: error.cause ?? error }, 'stage degraded');
  return create(DegradationSchema, { stage, reason: error.rawMessage.slice(0, maxReason).toWellFormed(), effect });
}
