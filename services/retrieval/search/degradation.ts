import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { type Degradation, DegradationSchema, type Stage, StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { deadlineExceeded, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import type { RetrievalMetrics } from '../metrics.ts';

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
  metrics: RetrievalMetrics;
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
  // The time of the caller ran out, or the caller left: nothing here is broken, and short deadlines would fill the log. Late stages show
  // in the metric.
  const isCaller = error.code === Code.DeadlineExceeded || error.code === Code.Canceled;
  log[isCaller ? 'debug' : 'warn']({ event: 'stage_degraded', stage: name, err: error }, 'stage degraded');
  return create(DegradationSchema, { stage, reason: error.rawMessage.slice(0, maxReason).toWellFormed(), effect });
}
