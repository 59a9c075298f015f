import { create } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions, Client } from '@connectrpc/connect';
import {
  type AuditService,
  type EvidenceRef,
  EvidenceRefSchema,
  type RecordRequest,
  RecordRequestSchema,
  type ToolCallRecord,
  ToolCallRecordSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { OpenReason } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { deadlineExceeded } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { withSpan } from '#kit/base/span.ts';
import { within } from '#kit/base/within.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import { type AskEvent, stageDegraded } from '../answer/events.ts';
import { describeFailure } from '../answer/failure.ts';
import { type AnswerState, isOfEvidence, toDone } from '../answer/state.ts';
import type { CacheFill } from '../cache/fill.ts';
import type { Owner } from '../sessions/owner.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { toTrace } from './answer-trace.ts';

/** What the records of an answer need. */
export interface RecordDeps {
  audit: Pick<Client<typeof AuditService>, 'record'>;
  sessions: Sessions;
  log: Logger;
  owner: Owner & { groups: readonly string[] };
  /** Options of a call that carries the caller's identity and may outlive its call. */
  options: CallOptions;
  /** Time for each record, in milliseconds. */
  timeoutMs: number;
  /** The recording in the cache, if the answer has a lease. */
  fill: CacheFill | undefined;
  /** Time since the question arrived, in microseconds. */
  totalUs: number;
  masks: RequestMasks | undefined;
  /** Whether the user stopped the answer, which then has a turn also without text. */
  isStopped: boolean;
  /** Whether the question measures the service: it does not enter the inbox. */
  isTest: boolean;
}

/** The longest lifetime that the cache takes. */
const ttlSecondsMax = 31_536_000;

/** Returns for how many whole seconds all documents of passages are still valid; `undefined` if none of them says until when. */
function secondsOfValidity(passages: readonly Passage[], nowMs: number): number | undefined {
  const ends = passages.flatMap(({ validUntil }) => (validUntil === undefined ? [] : [timestampMs(validUntil)]));
  if (ends.length === 0) return undefined;
  return Math.min(ttlSecondsMax, Math.floor((Math.min(...ends) - nowMs) / 1000));
}

/**
 * Writes the records of an answer concurrently: its turn in the session, its entry in the audit, and its place in the cache. Returns a
 * degradation for each record that fails. An answer without an outcome was interrupted: what was shown of it is recorded as TRUNCATED.
 */
export async function recordAnswer(state: AnswerState, deps: RecordDeps): Promise<AskEvent[]> {
  const { fill, sessions, audit, owner, options, timeoutMs, totalUs, log } = deps;
  const isWhole = state.outcome !== AnswerOutcome.UNSPECIFIED;
  const isShown = state.text !== '' || state.passages.length > 0;
  const outcome = isWhole ? state.outcome : AnswerOutcome.TRUNCATED;
  const failures: AskEvent[] = [];
  const write = async (stage: Stage, what: string, effect: string, work: () => Promise<unknown>) => {
    try {
      const toTimeoutError = () => deadlineExceeded(`${what} took more than ${timeoutMs} ms`);
      await within(work, { timeoutMs, toTimeoutError });
    } catch (error) {
      log.error({ err: error, event: 'record_failed', record: what, answer_id: state.answerId }, 'record failed');
      failures.push(stageDegraded(stage, describeFailure(error), effect));
    }
  };
  const writes: Promise<void>[] = [];
  if (fill !== undefined) {
    // A part of an answer is of no use to other callers.
    const ttlSeconds = secondsOfValidity(state.passages, state.askedAtMs + totalUs / 1000);
    if (outcome === AnswerOutcome.TRUNCATED) fill.abandon('the answer was interrupted');
    else if (ttlSeconds !== undefined && ttlSeconds < 1) fill.abandon('a document is valid no longer');
    else {
      const guardrailVerdicts = state.guardrailVerdicts.filter(isOfEvidence);
      const done = { ...toDone(state), traceId: '', guardrailVerdicts };
      const commit = () => withSpan('cache.set', {}, () => fill.commit(done, ttlSeconds));
      writes.push(write(Stage.CACHE, 'storing the answer', 'the answer is not in the cache', commit));
    }
  }
  if (isWhole || state.isStarted) {
    const record = async () => {
      await sessions.record(toTurnWrite(state, deps, isWhole));
      // After the turn, whose write creates the session.
      if (state.handover !== undefined && state.sessionId !== '') {
        const { tenant, user } = owner;
        await sessions.moveHandover({ tenant, user, sessionId: state.sessionId }, state.handover.event);
      }
    };
    writes.push(write(Stage.SESSION, 'keeping the turn', 'the turn is not in the session', record));
  }
  const reason = deps.isTest ? undefined : inboxReason(state);
  if (reason !== undefined) {
    const { answerId, standalone, askedAtMs, handover } = state;
    const isHandover = reason === OpenReason.HANDOVER;
    // "I want a person" says nothing of what the documents lack.
    const question = (isHandover ? handover?.about : standalone) || state.question;
    const asked = { answerId, question, reason, askedAtMs };
    const add = () => sessions.addToInbox(owner, asked);
    writes.push(write(Stage.SESSION, 'adding the question to the inbox', 'the question is not in the inbox', add));
  }
  if (isWhole || isShown) {
    const record = () => audit.record(toAuditRecord(state, outcome, totalUs), options);
    writes.push(write(Stage.AUDIT, 'recording the answer', 'the answer is not in the audit', record));
  }
  await Promise.all(writes);
  return failures;
}

/** Why a question belongs into the inbox; `undefined` if it does not. */
function inboxReason({ outcome, handover }: AnswerState): OpenReason | undefined {
  if (handover?.event.case === 'request') return OpenReason.HANDOVER;
  return outcome === AnswerOutcome.REFUSED ? OpenReason.REFUSED : undefined;
}

// A session keeps the originals of its owner, encrypted.
function toTurnWrite(state: AnswerState, { owner, masks, totalUs, isStopped }: RecordDeps, isWhole: boolean) {
  const { tenant, user, groups } = owner;
  const { sessionId, isNewSession, askedAtMs, answerId, citations, model } = state;
  const question = masks?.sealOwn(state.question) ?? state.question;
  const text = masks?.sealOwn(state.text) ?? state.text;
  const outcome = isWhole ? state.outcome : AnswerOutcome.TRUNCATED;
  const standalone = masks?.seal(state.standalone) ?? state.standalone;
  const isTurn = isWhole || text !== '' || isStopped;
  const trace = isTurn && sessionId !== '' ? { trace: toTrace(state, { standalone, totalUs, groups }) } : {};
  const turn = isTurn ? { answer: text, citations, outcome, model, isStopped, ...trace } : undefined;
  return { tenant, user, sessionId, mayCreate: isNewSession, answerId, question, askedAtMs, turn };
}

function toAuditRecord(state: AnswerState, outcome: AnswerOutcome, totalUs: number): RecordRequest {
  const record = create(RecordRequestSchema, {
    answerId: state.answerId,
    sessionId: state.sessionId,
    question: state.question,
    standaloneQuestion: state.standalone,
    answer: state.text,
    outcome,
    citedMarkers: state.citations.map(({ marker }) => marker),
    model: state.model,
    ...(state.usage && { usage: state.usage }),
    degradations: [...state.degradations],
    cacheLayer: state.cacheLayer,
    traceId: state.traceId,
    askedAt: timestampFromMs(state.askedAtMs),
    firstTextUs: BigInt(state.firstTextUs),
    totalUs: BigInt(totalUs),
    unsupportedClaims: [...state.unsupportedClaims],
    guardrailVerdicts: [...state.guardrailVerdicts],
    trialVersions: state.trials.slice(0, maxTrials).map(({ corpus, version }) => ({ corpus, version })),
    toolCalls: state.toolCalls.slice(0, maxToolCalls).map(toToolCallRecord),
  });
  record.evidence = evidenceOf(state.passages);
  return record;
}

/** The contract's limits. */
const maxToolCalls = 32;
const maxTrials = 32;

function toToolCallRecord({ callId, tool, argumentsJson, status, detail, latencyUs }: ToolCallUpdate): ToolCallRecord {
  return create(ToolCallRecordSchema, { callId, tool, argumentsJson, status, detail, latencyUs });
}

// The passages of a cached answer are the same list each time, and so is its evidence, whose bytes audit makes once.
const evidences = new WeakMap<readonly Passage[], EvidenceRef[]>();

function evidenceOf(passages: readonly Passage[]): EvidenceRef[] {
  let evidence = evidences.get(passages);
  if (evidence === undefined) {
    evidence = passages.map(({ chunkId, documentId, corpus, version, scores }) => {
      const score = scores?.rerank ?? scores?.fused ?? 0;
      return create(EvidenceRefSchema, { chunkId, documentId, corpus, version, score });
    });
    evidences.set(passages, evidence);
  }
  return evidence;
}
