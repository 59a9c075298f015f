import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions, Client } from '@connectrpc/connect';
import type { AuditEntry, AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Feedback, FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';

/** From what answers and ratings are read. */
export interface AnswerDeps {
  audit(): Pick<Client<typeof AuditService>, 'queryAudit'>;
  feedback(): Pick<Client<typeof FeedbackService>, 'listFeedback'>;
}

const answers = { max: 20_000, atOnce: 1000 };
const ratings = { max: 10_000, atOnce: 200 };

/**
 * Reads the entries of the audit since a time, the latest first, at most 20,000. Returns whether that were all. `call` returns options with the
 * rights of an auditor.
 */
export async function readAnswers(
  { audit }: AnswerDeps,
  sinceMs: number,
  call: () => Promise<CallOptions>,
  add: (entry: AuditEntry) => void,
): Promise<{ isWhole: boolean }> {
  let beforeSequence = 0n;
  for (let readCount = 0; readCount < answers.max; readCount += answers.atOnce) {
    let count = 0;
    const request = { from: timestampFromMs(sinceMs), limit: answers.atOnce, beforeSequence };
    for await (const { entry } of audit().queryAudit(request, await call())) {
      if (entry === undefined) continue;
      count++;
      beforeSequence = entry.sequence;
      add(entry);
    }
    if (count < answers.atOnce) return { isWhole: true };
  }
  return { isWhole: false };
}

/** Reads the ratings since a time, at most 10,000. Returns whether that were all. `call` returns options with the rights of an operator. */
export async function readRatings(
  { feedback }: AnswerDeps,
  sinceMs: number,
  call: () => Promise<CallOptions>,
  add: (rating: Feedback) => void,
): Promise<{ isWhole: boolean }> {
  let pageToken = '';
  for (let readCount = 0; readCount < ratings.max; readCount += ratings.atOnce) {
    const request = { since: timestampFromMs(sinceMs), pageSize: ratings.atOnce, pageToken };
    const page = await feedback().listFeedback(request, await call());
    for (const rating of page.feedback) add(rating);
    pageToken = page.nextPageToken;
    if (pageToken === '') return { isWhole: true };
  }
  return { isWhole: false };
}
