import type { CallOptions } from '@connectrpc/connect';
import type { RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type AnswerDeps, readAnswers, readRatings } from '../../documents/answers.ts';

/** Answers of one version. */
export interface VersionAnswers {
  answers: number;
  refused: number;
  other: number;
  up: number;
  down: number;
}

/** Answers to sessions of both versions. */
export interface TrialAnswers {
  live: VersionAnswers;
  candidate: VersionAnswers;
  /** Whether there were more than are read. */
  isPartial: boolean;
}

/** Whose trial it is, and since when. */
interface TrialOf {
  corpus: string;
  version: bigint;
  startedMs: number;
}

/** Reads how questions were answered since a trial began, by the version to which their session was assigned. */
export async function readTrialAnswers(
  deps: AnswerDeps,
  { corpus, version, startedMs }: TrialOf,
  call: () => Promise<CallOptions>,
): Promise<TrialAnswers> {
  const none = (): VersionAnswers => ({ answers: 0, refused: 0, other: 0, up: 0, down: 0 });
  const live = none();
  const candidate = none();
  const versions = new Map<string, VersionAnswers>();
  const countOf = ({ trialVersions }: RecordRequest): VersionAnswers | undefined => {
    const assigned = trialVersions.find((one) => one.corpus === corpus);
    return assigned && (assigned.version === version ? candidate : live);
  };
  const answers = await readAnswers(deps, startedMs, call, ({ record }) => {
    const count = record && countOf(record);
    if (record === undefined || count === undefined) return;
    versions.set(record.answerId, count);
    count.answers++;
    if (record.outcome === AnswerOutcome.REFUSED) count.refused++;
    else if (!full.has(record.outcome)) count.other++;
  });
  const ratings = await readRatings(deps, startedMs, call, ({ answerId, rating }) => {
    const count = versions.get(answerId);
    if (count === undefined) return;
    if (rating === Rating.UP) count.up++;
    if (rating === Rating.DOWN) count.down++;
  });
  return { live, candidate, isPartial: !answers.isWhole || !ratings.isWhole };
}

const full = new Set<AnswerOutcome>([AnswerOutcome.ANSWERED, AnswerOutcome.REPLIED]);
