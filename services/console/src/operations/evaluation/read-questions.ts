import { createClient } from '@connectrpc/connect';
import { AuditService, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Api } from '../../api.ts';

/** Entries of the audit that are read, questions that are shown, and entries that are read together. */
const [maxEntries, maxShown, together] = [500, 50, 8];
const timeoutMs = 30_000;

/** A question with the documents that answer it. */
export interface Question {
  queryId: string;
  text: string;
  judgements: { documentId: string; grade: number }[];
}

/** Which questions that people have asked: those that were answered, and those whose answer they have rated up or down. */
export const sources = ['answered', 'helpful', 'unhelpful'] as const;
export type Source = (typeof sources)[number];

/**
 * Returns questions, the latest first; one that was asked several times is there once. They have the documents that their answers cite, but for
 * answers that were rated down: a person has to say what would be right.
 */
export async function readQuestions(api: Api, source: Source): Promise<Question[]> {
  const questions = new Map<string, Question>();
  for await (const record of source === 'answered' ? latest(api) : rated(api, source)) {
    const text = record.standaloneQuestion || record.question;
    const isRight = source !== 'unhelpful';
    const cited = record.citedMarkers.flatMap((marker) => record.evidence[marker - 1]?.documentId ?? []);
    const isUsable = !isRight || (record.outcome === AnswerOutcome.ANSWERED && cited.length > 0);
    if (text === '' || !isUsable || questions.has(text)) continue;
    const judgements = isRight ? [...new Set(cited)].map((documentId) => ({ documentId, grade: 1 })) : [];
    questions.set(text, { queryId: record.answerId, text, judgements });
    if (questions.size >= maxShown) break;
  }
  return [...questions.values()];
}

async function* latest({ transport }: Api): AsyncIterable<RecordRequest> {
  const entries = createClient(AuditService, transport).queryAudit({ limit: maxEntries }, { timeoutMs });
  for await (const { entry } of entries) if (entry?.record !== undefined) yield entry.record;
}

async function* rated({ transport }: Api, source: 'helpful' | 'unhelpful'): AsyncIterable<RecordRequest> {
  const rating = source === 'helpful' ? Rating.UP : Rating.DOWN;
  const { feedback } = await createClient(FeedbackService, transport).listFeedback({ rating, pageSize: 200 });
  const audit = createClient(AuditService, transport);
  const recordOf = async (answerId: string) => {
    let record: RecordRequest | undefined;
    for await (const { entry } of audit.queryAudit({ answerId, limit: 1 }, { timeoutMs })) record = entry?.record;
    return record;
  };
  for (let start = 0; start < feedback.length; start += together) {
    const some = feedback.slice(start, start + together);
    for (const record of await Promise.all(some.map(({ answerId }) => recordOf(answerId)))) {
      // Retention may have removed the entry.
      if (record !== undefined) yield record;
    }
  }
}
