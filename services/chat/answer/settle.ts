import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions, Client } from '@connectrpc/connect';
import { type AuditService, type EvidenceRef, EvidenceRefSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, AnswerDoneSchema, AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { deadlineExceeded } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { within } from '#kit/base/within.ts';
import type { Owner, Sessions } from '../sessions/sessions.ts';
import type { Course } from './course.ts';
import { reasonOf } from './reason.ts';
import type { Recorder } from './recorder.ts';

/** What the records of an answer need. */
export interface SettleParts {
  audit: Client<typeof AuditService>;
  sessions: Sessions;
  log: Logger;
  owner: Owner;
  /** Call options that carry the caller, and outlive its call. */
  options: CallOptions;
  /** Time for each record, in milliseconds. */
  timeoutMs: number;
  recorder: Recorder | undefined;
  traceId: string;
}

/**
 * Leaves the records of an answer: its turn in the session, its entry in the audit, and its place in the cache, all at once. A
 * record that fails is a degradation of the answer, told by the events that this resolves to. An answer without an outcome
 * was broken off: what was shown of it is recorded as TRUNCATED.
 */
export async function settle(course: Course, parts: SettleParts): Promise<AskResponse[]> {
  const { recorder, sessions, audit, owner, options, timeoutMs, log } = parts;
  const isWhole = course.outcome !== AnswerOutcome.UNSPECIFIED;
  const isShown = course.text !== '' || course.passages.length > 0;
  if (!isWhole) course.outcome = AnswerOutcome.TRUNCATED;
  const updates: AskResponse[] = [];
  const keep = async (stage: Stage, what: string, effect: string, work: () => Promise<unknown>) => {
    try {
      const toTimeoutError = () => deadlineExceeded(`${what} took more than ${timeoutMs} ms`);
      await within(work, { timeoutMs, toTimeoutError });
    } catch (error) {
      log.error({ err: error, answer_id: course.answerId }, `${what} failed`);
      updates.push(course.degrade(stage, reasonOf(error), effect));
    }
  };
  const tasks: Promise<void>[] = [];
  if (recorder !== undefined) {
    // A part of an answer is nobody else's.
    if (course.outcome === AnswerOutcome.TRUNCATED) recorder.abandon('the answer broke off');
    else {
      const commit = () => withSpan('cache.set', {}, () => recorder.commit(toDone(course, '')));
      tasks.push(keep(Stage.CACHE, 'storing the answer', 'the answer is not in the cache', commit));
    }
  }
  if (isWhole || course.isStarted) {
    const turn = { answerId: course.answerId, answer: course.text, citations: course.citations };
    const write = {
      ...{ tenant: owner.tenant, user: owner.user, sessionId: course.sessionId, mayCreate: course.isNewSession },
      ...{ question: course.question, askedAtMs: course.askedAtMs },
      turn: isWhole || course.text !== '' ? turn : undefined,
    };
    // No stage of the contract stands for sessions.
    const record = () => sessions.record(write);
    tasks.push(keep(Stage.SESSION, 'keeping the turn', 'the turn is not in the session', record));
  }
  if (isWhole || isShown) {
    const record = () => audit.record(toRecord(course, parts.traceId), options);
    tasks.push(keep(Stage.AUDIT, 'recording the answer', 'the answer is not in the audit', record));
  }
  await Promise.all(tasks);
  return updates;
}

/** The end of an answer. */
export function toDone(course: Course, traceId: string): AnswerDone {
  return create(AnswerDoneSchema, {
    outcome: course.outcome,
    answerId: course.answerId,
    sessionId: course.sessionId,
    model: course.model,
    degradations: [...course.degradations],
    traceId,
    cacheLayer: course.cacheLayer,
    unsupportedClaims: course.unsupportedClaims,
    verified: course.isVerified,
  });
}

function toRecord(course: Course, traceId: string) {
  return {
    answerId: course.answerId,
    sessionId: course.sessionId,
    question: course.question,
    standaloneQuestion: course.standalone,
    answer: course.text,
    outcome: course.outcome,
    evidence: course.passages.map(toEvidenceRef),
    citedMarkers: course.citations.map(({ marker }) => marker),
    model: course.model,
    ...(course.usage && { usage: course.usage }),
    degradations: [...course.degradations],
    cacheLayer: course.cacheLayer,
    traceId,
    askedAt: timestampFromMs(course.askedAtMs),
    firstTextUs: BigInt(course.firstTextUs),
    totalUs: BigInt(course.elapsedUs()),
    unsupportedClaims: course.unsupportedClaims,
  };
}

// Passages of a cached answer are the same objects each time.
const refs = new WeakMap<Passage, EvidenceRef>();

function toEvidenceRef(passage: Passage): EvidenceRef {
  const known = refs.get(passage);
  if (known !== undefined) return known;
  const { chunkId, documentId, corpus, version, scores } = passage;
  const score = scores?.rerank ?? scores?.fused ?? 0;
  const ref = create(EvidenceRefSchema, { chunkId, documentId, corpus, version, score });
  refs.set(passage, ref);
  return ref;
}
