import { type AskResponse, StageStatus, type StageUpdate, type Turn } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Handover } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { ToolCallUpdate } from '#gen/ragmesh/chat/v1/tool_pb.ts';
import type { AnswerDone, Citation, SentenceVerdict } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, Stage, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Failure } from './failure.ts';

/** Name of a stage, as in the texts. */
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
  | 'tool'
  | 'other';

/** State of a stage; `stopped` if the answer ended while it ran. */
export type StageState = 'running' | 'finished' | 'degraded' | 'skipped' | 'stopped';

/** A stage that the server has reported. */
export interface StageProgress {
  name: StageName;
  state: StageState;
  /** Duration; `undefined` while it runs. */
  latencyMs?: number;
  /** Detail from the server; may be empty. */
  detail: string;
}

/** Phase of an answer: `asking` before its first text, `writing` after, then one of the last three. */
export type AnswerPhase = 'asking' | 'writing' | 'done' | 'stopped' | 'failed';

/** An answer as the page shows it. */
export interface Answer {
  /** Unique on this page. */
  key: string;
  question: string;
  phase: AnswerPhase;
  /** Empty until the server has sent it. */
  answerId: string;
  sessionId: string;
  /** The question that was searched for; empty if not known. */
  standaloneQuestion: string;
  /** In the order of their start. */
  stages: readonly StageProgress[];
  /** Marker n is the n-th source, from 1. Empty for an answer of an earlier visit. */
  sources: readonly Passage[];
  citations: readonly Citation[];
  text: string;
  /** What the passages say about its sentences; empty for an answer of an earlier visit. */
  verdicts: readonly SentenceVerdict[];
  /** How far a hand-over to a person is; `undefined` if there is none. */
  handover?: Handover;
  /** Calls of tools, each as far as it is. */
  toolCalls?: readonly ToolCallUpdate[];
  /** Whether the answer asks back; the suggestions are then replies to choose from. */
  isAskedBack?: boolean;
  /** Questions to ask next. */
  suggestions?: readonly string[];
  /** Why shown text was withdrawn; `undefined` if none was. */
  resetReason?: string;
  usage?: TokenUsage;
  /** Set only in `done`, and not for an answer of an earlier visit. */
  done?: AnswerDone;
  /** Set only in `failed`. */
  failure?: Failure;
  /** Start time, on the clock of `atMs`. */
  startedMs: number;
  firstTextMs?: number;
  endedMs?: number;
}

/** An update of an answer; `atMs` is on the page's own clock. */
export type AnswerUpdate =
  | { kind: 'response'; response: AskResponse; atMs: number }
  /** The stream ended. Without a `done` event before, the answer is incomplete. */
  | { kind: 'ended'; atMs: number }
  | { kind: 'stopped'; atMs: number }
  | { kind: 'failed'; failure: Failure; atMs: number };

/** Returns the answer of a question that was just asked. */
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
    verdicts: [],
    startedMs,
  };
}

/** Returns an answer of an earlier visit. */
export function answerFromTurn(turn: Turn, sessionId: string): Answer {
  const answer = startAnswer(turn.answerId, turn.question, sessionId, 0);
  return { ...answer, phase: 'done', answerId: turn.answerId, text: turn.answer, citations: turn.citations };
}

/** Reports whether an answer has ended. */
export function isSettled(answer: Answer): boolean {
  return answer.phase === 'done' || answer.phase === 'stopped' || answer.phase === 'failed';
}

/** Returns the answer after an update. Updates after the end are ignored. */
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
      return { ...answer, text: '', citations: [], verdicts: [], resetReason: event.value.reason };
    case 'citation':
      return { ...answer, citations: [...answer.citations, event.value] };
    case 'verdicts':
      return { ...answer, verdicts: [...answer.verdicts, ...event.value.sentences] };
    case 'usage':
      return { ...answer, usage: event.value };
    case 'done': {
      const { answerId, sessionId } = event.value;
      const named = { ...answer, answerId: answerId || answer.answerId, sessionId: sessionId || answer.sessionId };
      return settle(named, atMs, { phase: 'done', done: event.value });
    }
    case 'handover':
      return { ...answer, handover: event.value };
    case 'suggestions':
      return { ...answer, suggestions: event.value.questions };
    case 'clarification': // its text is the answer
      return { ...answer, suggestions: event.value.options, isAskedBack: true };
    case 'toolCall': {
      const { callId } = event.value;
      const others = (answer.toolCalls ?? []).filter((call) => call.callId !== callId);
      return { ...answer, toolCalls: [...others, event.value] };
    }
    case 'prompt': // asked for by other clients
    case undefined: // an event of a newer contract
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
  // A stage that was running when the answer ended is stopped.
  const state = end.phase === 'done' ? ('finished' as const) : ('stopped' as const);
  const stages = answer.stages.map((stage) => (stage.state === 'running' ? { ...stage, state } : stage));
  return { ...answer, ...end, stages, endedMs: atMs - answer.startedMs };
}

/** Returns the name of a stage. */
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
    case Stage.TOOL:
      return 'tool';
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
