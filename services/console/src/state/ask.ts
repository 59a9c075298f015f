import { type AskResponse, StageStatus, type StageUpdate, type Turn } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { AnswerDone, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, Stage, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Failure } from './failure.ts';

/** A stage, by the name that the texts use. */
export type StageName =
  | 'cache'
  | 'rewrite'
  | 'vector'
  | 'keyword'
  | 'web'
  | 'rerank'
  | 'prompt'
  | 'generate'
  | 'validate'
  | 'retrieve'
  | 'audit'
  | 'other';

/** How a stage stands; `stopped` where the answer ended while it ran. */
export type StageState = 'running' | 'finished' | 'degraded' | 'skipped' | 'stopped';

/** A stage that has been heard of. */
export interface StageProgress {
  name: StageName;
  state: StageState;
  /** Time that it took; `undefined` while it runs. */
  latencyMs?: number;
  /** What the server says of it; may be empty. */
  detail: string;
}

/** How an answer stands: `asking` before its first text, `writing` after, then one of the last three. */
export type AnswerPhase = 'asking' | 'writing' | 'done' | 'stopped' | 'failed';

/** An answer as it is shown. */
export interface Answer {
  /** Names it on this page. */
  key: string;
  question: string;
  phase: AnswerPhase;
  /** Empty until the server has named it. */
  answerId: string;
  sessionId: string;
  /** The question as it was searched for; empty where not known. */
  standaloneQuestion: string;
  /** In the order in which they began. */
  stages: readonly StageProgress[];
  /** Marker n names the n-th, from 1. Empty for an answer of an earlier visit. */
  sources: readonly Passage[];
  citations: readonly Citation[];
  text: string;
  /** Why text that had been shown was taken back; `undefined` where none was. */
  resetReason?: string;
  usage?: TokenUsage;
  /** Set in `done` only, and not for an answer of an earlier visit. */
  done?: AnswerDone;
  /** Set in `failed` only. */
  failure?: Failure;
  /** Start of the clock that `atMs` reads. */
  startedMs: number;
  firstTextMs?: number;
  endedMs?: number;
}

/** What happened to an answer; `atMs` on the page's own clock. */
export type AnswerUpdate =
  | { kind: 'response'; response: AskResponse; atMs: number }
  /** The stream ended. Without a `done` event before, the answer is not whole. */
  | { kind: 'ended'; atMs: number }
  | { kind: 'stopped'; atMs: number }
  | { kind: 'failed'; failure: Failure; atMs: number };

/** An answer that was just asked for. */
export function startAnswer(key: string, question: string, sessionId: string, startedMs: number): Answer {
  return {
    key,
    question,
    phase: 'asking',
    answerId: '',
    sessionId,
    standaloneQuestion: '',
    stages: [],
    sources: [],
    citations: [],
    text: '',
    startedMs,
  };
}

/** An answer of an earlier visit. */
export function answerFromTurn(turn: Turn, sessionId: string): Answer {
  const answer = startAnswer(turn.answerId, turn.question, sessionId, 0);
  return { ...answer, phase: 'done', answerId: turn.answerId, text: turn.answer, citations: turn.citations };
}

/** Whether nothing more will happen to an answer. */
export function isSettled(answer: Answer): boolean {
  return answer.phase === 'done' || answer.phase === 'stopped' || answer.phase === 'failed';
}

/** The answer after an update. What comes after the end changes nothing. */
export function updateAnswer(answer: Answer, update: AnswerUpdate): Answer {
  if (isSettled(answer)) return answer;
  switch (update.kind) {
    case 'response':
      return applyResponse(answer, update.response, update.atMs);
    case 'ended':
      return settle(answer, update.atMs, { phase: 'failed', failure: { kind: 'incomplete', message: '' } });
    case 'stopped':
      return settle(answer, update.atMs, { phase: 'stopped' });
    case 'failed':
      return settle(answer, update.atMs, { phase: 'failed', failure: update.failure });
    default:
      return update satisfies never;
  }
}

function applyResponse(answer: Answer, { event }: AskResponse, atMs: number): Answer {
  switch (event.case) {
    case 'started': {
      const { answerId, sessionId, standaloneQuestion } = event.value;
      return { ...answer, answerId, sessionId: sessionId || answer.sessionId, standaloneQuestion };
    }
    case 'stage':
      return { ...answer, stages: applyStage(answer.stages, event.value) };
    case 'sources':
      return { ...answer, sources: event.value.passages };
    case 'textDelta':
      return {
        ...answer,
        phase: 'writing',
        text: answer.text + event.value.text,
        firstTextMs: answer.firstTextMs ?? atMs - answer.startedMs,
      };
    case 'reset':
      return { ...answer, text: '', citations: [], resetReason: event.value.reason };
    case 'citation':
      return { ...answer, citations: [...answer.citations, event.value] };
    case 'usage':
      return { ...answer, usage: event.value };
    case 'done': {
      const { answerId, sessionId } = event.value;
      const named = { ...answer, answerId: answerId || answer.answerId, sessionId: sessionId || answer.sessionId };
      return settle(named, atMs, { phase: 'done', done: event.value });
    }
    case undefined: // an event that this page does not know yet
      return answer;
    default:
      return event satisfies never;
  }
}

function applyStage(stages: readonly StageProgress[], update: StageUpdate): readonly StageProgress[] {
  const progress: StageProgress = {
    name: stageName(update.stage),
    state: stageState(update.status),
    detail: update.detail,
    ...(update.status !== StageStatus.STARTED && { latencyMs: Number(update.latencyUs) / 1000 }),
  };
  const index = stages.findIndex(({ name }) => name === progress.name);
  return index < 0 ? [...stages, progress] : stages.with(index, progress);
}

function settle(answer: Answer, atMs: number, end: Pick<Answer, 'phase' | 'done' | 'failure'>): Answer {
  // Whatever still ran when the answer ended has ended with it.
  const state = end.phase === 'done' ? ('finished' as const) : ('stopped' as const);
  const stages = answer.stages.map((stage) => (stage.state === 'running' ? { ...stage, state } : stage));
  return { ...answer, ...end, stages, endedMs: atMs - answer.startedMs };
}

/** The name of a stage. */
export function stageName(stage: Stage | number): StageName {
  switch (stage) {
    case Stage.CACHE:
      return 'cache';
    case Stage.REWRITE:
      return 'rewrite';
    case Stage.VECTOR_SEARCH:
      return 'vector';
    case Stage.KEYWORD_SEARCH:
      return 'keyword';
    case Stage.WEB_SEARCH:
      return 'web';
    case Stage.RERANK:
      return 'rerank';
    case Stage.PROMPT:
      return 'prompt';
    case Stage.GENERATE:
      return 'generate';
    case Stage.VALIDATE:
      return 'validate';
    case Stage.RETRIEVE:
      return 'retrieve';
    case Stage.AUDIT:
      return 'audit';
    default:
      return 'other';
  }
}

function stageState(status: StageStatus | number): StageState {
  switch (status) {
    case StageStatus.STARTED:
      return 'running';
    case StageStatus.DEGRADED:
      return 'degraded';
    case StageStatus.SKIPPED:
      return 'skipped';
    default:
      return 'finished';
  }
}
