import { create } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import type { AskRequest, AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import {
  AnswerEventSchema,
  AnswerOutcome,
  AnswerOutcomeSchema,
  CacheLayer,
  ClaimFaultSchema,
  SourcesSchema,
  ToolCallStatus,
  ToolCallStatusSchema,
  type UnsupportedClaim,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type CatchUp, createCatchUp } from '#kit/answers/catch-up.ts';
import type { OwnParts } from '#kit/answers/repeat.ts';
import { enumName } from '#kit/base/enums.ts';
import { cancelled } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { activeTraceId } from '#kit/host/telemetry/telemetry.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { type BackgroundTasks, backgroundCall } from '../answer/background.ts';
import type { AskEvent } from '../answer/events.ts';
import { type AnswerState, initialState, next, repeat, respond } from '../answer/state.ts';
import { type CacheFill, openFill } from '../cache/fill.ts';
import type { Given } from '../cache/repeats.ts';
import type { ChatSettings } from '../config.ts';
import type { HandoverRequest } from '../handover/desk.ts';
import type { ChatMetrics } from '../metrics.ts';
import type { OpenAsk, OpenSessions } from '../sessions/in-flight/open-sessions.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { labelsOf } from './guardrails/guardrails.ts';
import { recordAnswer } from './record.ts';

/** What the driver needs. */
export interface DriverDeps {
  settings: ChatSettings;
  clients: { cache: Pick<Client<typeof CacheService>, 'fill'>; audit: Pick<Client<typeof AuditService>, 'record'> };
  sessions: Sessions;
  openSessions: OpenSessions;
  background: BackgroundTasks;
  /** Reports a conversation that waits for a person. */
  reportHandover: (request: HandoverRequest) => void;
  newId: () => string;
  clock: () => number;
  metrics: ChatMetrics;
  log: Logger;
  /** Masks of the request, if its tenant masks personal data. */
  masks?: RequestMasks | undefined;
}

/** Drives the state of one question; the only holder of it. */
export type Driver = ReturnType<typeof createDriver>;

/** Time that the recording in the cache may continue beyond the call, in milliseconds. */
const fillGraceMs = 10_000;
/** Time of a call without a deadline, in milliseconds. */
const defaultTimeoutMs = 110_000;
const nothing: readonly AskResponse[] = [];

/** Creates the driver of a question that has just arrived. */
export function createDriver(
  deps: DriverDeps,
  { question, isTest }: Pick<AskRequest, 'question' | 'isTest'>,
  context: CallContext,
  traceId: string = activeTraceId(),
) {
  const { settings, clients, sessions, openSessions, background, metrics, log, masks } = deps;
  const owner = context.principal;
  const startedAt = performance.now();
  const elapsedUs = () => Math.round((performance.now() - startedAt) * 1000);
  const route = () => (state.cacheLayer === CacheLayer.UNSPECIFIED ? 'generate' : 'cache');
  let state: AnswerState = initialState({
    answerId: deps.newId(),
    question,
    askedAtMs: deps.clock(),
    traceId,
  });
  let fill: CacheFill | undefined;
  let catchUp: CatchUp | undefined;
  let leaveSession = () => {};
  const stopped = { byUser: false };
  let recording: Promise<readonly AskResponse[]> | undefined;

  function apply(event: AskEvent): readonly AskResponse[] {
    const before = state;
    const { state: after, response } = next(before, event, elapsedUs());
    state = after;
    react(event, before);
    if (response === undefined) return nothing;
    if (event.case !== 'remark') fill?.add(response);
    return catchUp === undefined ? [response] : caughtUp(catchUp, response);
  }

  // What an event causes outside the state.
  function react(event: AskEvent, before: AnswerState): void {
    switch (event.case) {
      case 'started': {
        const { sessionId } = event.value;
        if (sessionId === '') break;
        leaveSession = openSessions.enter(
          sessionId,
          openAsk(context, () => state, stopped),
        );
        break;
      }
      case 'lease': {
        const timeoutMs = (context.timeoutMs() ?? defaultTimeoutMs) + fillGraceMs;
        fill = openFill(clients.cache, event.value, backgroundCall(context, timeoutMs));
        break;
      }
      case 'restarted':
        catchUp = catchUpFrom(before, event.value);
        break;
      case 'degraded': {
        const isNew = state.degradations.length > before.degradations.length;
        const { stage, isCounted } = event.value;
        if (isNew && !isCounted) metrics.degradationTotal.inc({ stage: enumName(StageSchema, stage) });
        break;
      }
      case 'handover': {
        const { handover, event: happened } = event.value;
        const { tenant, user } = owner;
        if (happened?.case !== 'request' || isTest) break;
        deps.reportHandover({ tenant, user, sessionId: state.sessionId, answerId: state.answerId, handover });
        break;
      }
      case 'toolCall': {
        // What a tool says is for its caller alone: nothing of the answer reaches another one.
        fill?.abandon('the answer is for its caller alone');
        fill = undefined;
        const { tool, status, latencyUs } = event.value;
        if (status === ToolCallStatus.RUNNING) break;
        metrics.toolCallTotal.inc({ tool, status: enumName(ToolCallStatusSchema, status).toLowerCase() });
        if (status === ToolCallStatus.SUCCEEDED) metrics.toolLatencyMs.observe({ tool }, Number(latencyUs) / 1000);
        break;
      }
      case 'guardrail':
        metrics.guardrailTotal.inc(labelsOf(event.value));
        break;
      case 'verdicts':
        countClaims(metrics, event.claims);
        break;
      case 'verdict':
        countClaims(metrics, event.value.unsupportedClaims);
        break;
      default:
        break;
    }
  }

  // Writes the records once. They outlive the call: a caller that leaves does not cancel them.
  function record(): Promise<readonly AskResponse[]> {
    const write = async () => {
      const { recordTimeoutMs: timeoutMs } = settings;
      const options = backgroundCall(context, timeoutMs);
      const { audit } = clients;
      try {
        const ended = { totalUs: elapsedUs(), isStopped: stopped.byUser };
        const parts = { audit, sessions, log, owner, options, timeoutMs, fill, masks, isTest, ...ended };
        return (await recordAnswer(state, parts)).flatMap(apply);
      } finally {
        leaveSession();
      }
    };
    recording ??= background.run('recording an answer', write).then((responses) => responses ?? nothing);
    return recording;
  }

  return {
    /** Returns the state now. */
    state: (): AnswerState => state,
    /** Applies an event; returns what the client sees of it. */
    apply,
    /** Gives an answer of no session as it was given before; returns what is its own. */
    repeat(given: Given): OwnParts {
      const latencyUs = elapsedUs();
      state = repeat(state, given.state, latencyUs);
      return { answerId: state.answerId, latencyUs };
    },
    /** Records the answer and ends it; returns what the client sees of both. */
    async end(): Promise<readonly AskResponse[]> {
      const recorded = await record();
      metrics.requestLatencyMs.observe({ route: route() }, elapsedUs() / 1000);
      countAnswer(metrics, state);
      return [...recorded, ...apply({ case: 'done' })];
    },
    /** Releases what the question holds; an answer that was interrupted after `started` is recorded in the background. */
    close(): void {
      const tenant = metrics.tenantLabel(owner.tenant);
      metrics.requestTotal.inc({ tenant, route: route(), model: metrics.modelLabel(state.model) });
      if (state.firstTextUs > 0) metrics.firstTokenMs.observe({ route: route() }, state.firstTextUs / 1000);
      if (state.isStarted) void record();
    },
  };
}

/** Returns the answer as other calls see it while it is in flight. `stopped` is set if its user stops it. */
function openAsk(context: CallContext, state: () => AnswerState, stopped: { byUser: boolean }): OpenAsk {
  return {
    owner: context.principal,
    answerId: state().answerId,
    isStopped: () => context.signal.aborted,
    stop() {
      if (state().outcome !== AnswerOutcome.UNSPECIFIED || context.signal.aborted) return;
      stopped.byUser = true;
      context.abort(cancelled());
    },
    turn() {
      const { question, text: answer, citations, outcome } = state();
      return { question, answer, citations, ...(outcome !== AnswerOutcome.UNSPECIFIED && { outcome }) };
    },
  };
}

function countAnswer({ answerTotal, trialAnswerTotal }: ChatMetrics, { outcome: ended, trials }: AnswerState): void {
  const outcome = enumName(AnswerOutcomeSchema, ended).toLowerCase();
  answerTotal.inc({ outcome });
  for (const { isCandidate } of trials) trialAnswerTotal.inc({ version: isCandidate ? 'candidate' : 'live', outcome });
}

function countClaims(metrics: ChatMetrics, claims: readonly UnsupportedClaim[]): void {
  for (const { fault } of claims) {
    metrics.unsupportedClaimTotal.inc({ fault: enumName(ClaimFaultSchema, fault).toLowerCase() });
  }
}

// Hides from the client what it has already seen of the answer before; `undefined` if it has seen nothing.
function catchUpFrom({ text, citations, passages }: AnswerState, reason: string): CatchUp | undefined {
  if (text === '' && passages.length === 0) return undefined;
  const markers = new Set(citations.map(({ marker }) => marker));
  const sources = passages.length === 0 ? undefined : create(SourcesSchema, { passages: [...passages] });
  return createCatchUp({ text, markers, sources }, reason);
}

function caughtUp(catchUp: CatchUp, response: AskResponse): readonly AskResponse[] {
  const { event } = response;
  switch (event.case) {
    case 'sources':
    case 'textDelta':
    case 'reset':
    case 'citation':
    case 'verdicts':
    case 'usage':
    case 'done':
      return catchUp.take(create(AnswerEventSchema, { event })).map((answer) => respond(answer.event));
    default:
      return [response];
  }
}
