import { StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { StageChange } from './events.ts';

/** A stage that has ended; times are microseconds since the question arrived. */
export interface EndedStage {
  readonly stage: Stage;
  readonly status: StageStatus;
  readonly startedUs: number;
  readonly latencyUs: number;
  readonly detail: string;
}

/** A stage that began or ended, as a client sees it. */
export interface SeenStage {
  readonly stage: Stage;
  readonly status: StageStatus;
  readonly detail: string;
  readonly latencyUs: bigint;
}

/** Stages of an answer that are kept, and characters of a detail. */
const maxStages = 64;
const maxDetailLength = 1024;

/** Returns a change of a stage with its duration: that which its service measured, or the time since it began. */
export function toSeenStage(
  stageStartsUs: ReadonlyMap<Stage, number>,
  { stage, status, detail, latencyUs }: StageChange,
  atUs: number,
): SeenStage {
  return { stage, status, detail, latencyUs: latencyUs ?? BigInt(atUs - (stageStartsUs.get(stage) ?? atUs)) };
}

/** Returns the stages that have ended after a change; a stage that only begins is not among them. */
export function withEndedStage(
  ended: readonly EndedStage[],
  { stage, status, detail, latencyUs }: SeenStage,
  atUs: number,
): readonly EndedStage[] {
  if (status === StageStatus.STARTED || ended.length >= maxStages) return ended;
  const duration = status === StageStatus.SKIPPED ? 0 : Number(latencyUs);
  const one = { stage, status, startedUs: Math.max(0, atUs - duration), latencyUs: duration };
  return [...ended, { ...one, detail: detail.slice(0, maxDetailLength).toWellFormed() }];
}
