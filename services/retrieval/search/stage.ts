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
 * Runs a stage for at most `timeoutMs` and at most until `parent` aborts. Ends on time even if the work ignores its signal;
 * a late result or error is dropped.
 */
export function runStage<T>(
  timeoutMs: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const toTimeoutError = () => deadlineExceeded(`no result after ${timeoutMs} ms`);
  return within(work, { timeoutMs, signals: [parent], toTimeoutError });
}

/** Where degradations are made known. */
export interface StageDeps {
  log: Logger;
  metrics: Metrics;
}

/** A stage that was done without: counted, logged, and in the words that the answer carries. */
export function degrade({ log, metrics }: StageDeps, stage: Stage, thrown: unknown, effect: string): Degradation {
  const error = toRpcError(thrown);
  const name = enumName(StageSchema, stage).toLowerCase();
  metrics.degradationTotal.inc({ stage: name });
  log.warn({ stage: name, err: error.cause ?? error }, 'stage done without');
  return create(DegradationSchema, { stage, reason: error.rawMessage.slice(0, maxReason).toWellFormed(), effect });
}
