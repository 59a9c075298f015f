import { type Client, Code } from '@connectrpc/connect';
import type { AskRequest, AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome, CacheLayerSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Passage, type Principal, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import { spareTurn } from '#kit/base/own-turn.ts';
import { streamInSpan, withSpan } from '#kit/base/span.ts';
import { readyNow } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { afterRefusal, answerAct, showHandover } from '../acts/answer-act.ts';
import {
  type AskEvent,
  type AskEvents,
  sources,
  stageDegraded,
  stageFinished,
  stageSkipped,
  stageStarted,
  textDelta,
} from '../answer/events.ts';
import { answerLanguage, localizedText } from '../answer/localized-text.ts';
import type { AnswerState } from '../answer/state.ts';
import type { Found } from '../cache/lookup.ts';
import { replay } from '../cache/replay.ts';
import { answerCurated } from '../evidence/curated/curated.ts';
import { findEvidence } from '../evidence/evidence.ts';
import { suggest } from '../evidence/suggest.ts';
import { assignTrials, unitOf } from '../evidence/trials.ts';
import { type Generation, generate } from '../generate/generate.ts';
import { limitOf } from '../prompt/budget.ts';
import { inspectPrompt } from '../prompt/inspect.ts';
import { buildPrompt, historyTokens } from '../prompt/prompt.ts';
import type { TokenCounters } from '../prompt/token-counters.ts';
import { beginWithTool, writeResult } from '../tools/answer-tool.ts';
import type { PlannedCall, ToolCalls } from '../tools/call-tool.ts';
import { sealProposals } from '../tools/masked-tool.ts';
import { callMessages, createModelTools } from '../tools/model-tools.ts';
import { canCallTools, isGenerative, tokenizerOf } from '../understand/models.ts';
import type { Understood } from '../understand/understand.ts';
import { checkAnswer } from '../verify/check-answer.ts';
import { createDriver, type DriverDeps } from './driver.ts';
import { type Guardrails, isBlocked } from './guardrails/guardrails.ts';
import { maskRequest, sealPassages, shortenPassages } from './masking/request.ts';
import { showTo } from './masking/show.ts';
import { begin, findCurated, remember, type Walk, type WalkDeps } from './walk.ts';

/** What answering a question needs. */
export interface AskDeps extends Omit<DriverDeps, 'clients'>, Omit<WalkDeps, 'clients' | 'metrics'> {
  /** Returns the masks of a new request; `undefined` if the tenant masks nothing. */
  masksOf: (principal: Principal) => RequestMasks | undefined;
  /** Counters of tokens, by vocabulary. */
  counters: TokenCounters;
  /** Rules about questions and evidence. */
  guardrails: Guardrails;
  /** The model that scores written sentences; `undefined`: their words are compared. */
  scorer: Generation['scorer'];
  clients: DriverDeps['clients'] &
    WalkDeps['clients'] & {
      retrieval: Pick<Client<typeof RetrievalService>, 'retrieve'>;
      llm: Pick<Client<typeof LLMGatewayService>, 'generate'>;
    };
}

/**
 * Longest time for which an answer that was there as a whole waits for its records, in milliseconds: it then leaves in one piece with its
 * end, so that every face writes once and not twice.
 */
const maxTogetherMs = 10;
/** Longest time for which the end of an answer waits on a busy process, in milliseconds. */
const maxSpareWaitMs = 100;

/** Creates the rpc Ask. */
export function createAsk(deps: AskDeps) {
  return (request: AskRequest, context: CallContext): AsyncIterable<readonly AskResponse[]> =>
    streamInSpan('chat.request', {}, () => {
      const masks = deps.masksOf(context.principal);
      if (masks === undefined) return ask(deps, request, context);
      const answered = ask({ ...deps, masks }, maskRequest(request, masks), context);
      return masks.canRestore ? showTo(masks, answered) : answered;
    });
}

// Answers a question: applies each event of the answer to its state, and sends what the client sees of it.
async function* ask(deps: AskDeps, request: AskRequest, context: CallContext): AsyncGenerator<readonly AskResponse[]> {
  checkRequest(request, context);
  const driver = createDriver(deps, request, context);
  let walk: Walk | undefined;
  let isShown = false;
  // All that was sent of an answer that was there as a whole.
  let whole: readonly AskResponse[] = [];
  try {
    const refused = await refusal(deps.guardrails, request, context, driver.apply);
    if (refused !== undefined) {
      yield refused;
      yield await driver.end();
      return;
    }
    walk = begin(deps, request, context, driver.state());
    for await (const ready of answer(deps, request, context, walk, driver.state)) {
      const responses = 'case' in ready ? driver.apply(ready) : ready.flatMap(driver.apply);
      if (responses.length === 0) continue;
      const isWhole = driver.state().outcome !== AnswerOutcome.UNSPECIFIED;
      if (isWhole && (!isShown || whole.length > 0)) whole = [...whole, ...responses];
      else yield responses;
      isShown = true;
    }
    if (whole.length > 0) await remember(deps, walk, request, context, { state: driver.state(), responses: whole });
    const ending = driver.end();
    if (whole.length > 0 && !(await endsWithin(ending, maxTogetherMs))) {
      yield whole;
      whole = [];
    }
    yield [...whole, ...(await ending)];
  } finally {
    walk?.lookup.close();
    driver.close();
  }
}

// What the contract's rules for one field cannot say.
function checkRequest(request: AskRequest, context: CallContext): void {
  if (request.history.length > 0 && (request.sessionId !== '' || request.createSession)) {
    throw invalidArgument(
      'history is for callers without a session: leave out session_id and create_session, or history',
    );
  }
  if (request.inspectPrompt && !context.principal.roles.includes(Role.OPERATOR)) {
    const message = 'inspect_prompt needs the role "operator": leave it out, or use credentials with that role';
    throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message, { metadata: { role: 'operator' } });
  }
}

// Returns the answer to a question that a rule forbids; `undefined` if it may be answered. No one searches it, and it is in no session, in
// which it would be a part of later prompts.
async function refusal(
  guardrails: Guardrails,
  { question, language }: AskRequest,
  { principal, signal }: CallContext,
  apply: (event: AskEvent) => readonly AskResponse[],
): Promise<AskResponse[] | undefined> {
  const verdicts = await guardrails.question(principal.tenant, question, signal);
  for (const value of verdicts) apply({ case: 'guardrail', value });
  if (!isBlocked(verdicts)) return undefined;
  const started = { sessionId: '', isNewSession: false, standalone: question, act: ConversationAct.UNSPECIFIED };
  const { blocked } = localizedText(answerLanguage(language, question));
  const events: AskEvent[] = [
    { case: 'started', value: started },
    { case: 'outcome', value: AnswerOutcome.FILTERED },
    textDelta(blocked),
  ];
  return events.flatMap(apply);
}

async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => true,
  );
  return within(() => ended, { timeoutMs, toTimeoutError: () => late }).catch(() => false);
}

const late = Symbol('late');

/**
 * The walk of a question, step by step: understand, look up in the cache, find evidence, build the prompt, generate, check. Each step
 * yields events; `state` returns the result of all events so far.
 */
async function* answer(
  deps: AskDeps,
  request: AskRequest,
  context: CallContext,
  { understanding, lookup }: Walk,
  state: () => AnswerState,
): AsyncGenerator<AskEvents> {
  const [understood, listed] = await Promise.all([understanding, lookup.corporaListed]);
  const { sessionId, isNewSession, standalone, move, turns } = understood;
  const unit = request.isTest ? undefined : unitOf(sessionId, context.principal);
  const trials = 'corpora' in listed ? assignTrials(listed.corpora, unit).trials : [];
  const started: AskEvent = { case: 'started', value: { sessionId, isNewSession, standalone, act: move.act, trials } };
  if (move.reply !== undefined) {
    yield [started, ...answerAct(move, move.reply, request.question, turns)];
    return;
  }
  const { first } = understood.tools;
  if (first !== undefined) {
    yield started;
    const isAnswered = yield* answerFromTool(deps, context, understood, first, state);
    if (!isAnswered) yield* answerFromEvidence(deps, request, context, understood, state);
    if (state().outcome === AnswerOutcome.REFUSED) yield [...afterRefusal(move, request.question, turns)];
    return;
  }
  const curated = await findCurated(deps, request, context, standalone, listed);
  if (curated !== undefined) {
    yield [started, ...answerCurated(curated)];
    return;
  }
  const begun: AskEvents = [
    started,
    ...(move.isReturned ? showHandover({ ...move, event: undefined }, request.question, turns) : []),
    standalone === request.question ? stageSkipped(Stage.REWRITE) : stageFinished(Stage.REWRITE, standalone),
    stageStarted(Stage.CACHE),
  ];
  // An answer in memory leaves with the first event.
  const ready = await readyNow(lookup.peek());
  if (ready?.kind !== 'answer') yield begun;
  const before = ready?.kind === 'answer' ? begun : [];
  const isAnswered = yield* answerFromCache(await lookup.take(), before, request, context);
  if (!isAnswered) yield* answerFromEvidence(deps, request, context, understood, state);
  if (state().outcome === AnswerOutcome.REFUSED) yield [...afterRefusal(move, request.question, turns)];
  yield* suggest(state());
}

// Returns whether the cache had the whole answer. `before`: events that leave before it.
async function* answerFromCache(
  found: Found,
  before: readonly AskEvent[],
  { bypassCache }: AskRequest,
  context: CallContext,
): AsyncGenerator<AskEvents, boolean> {
  switch (found.kind) {
    case 'answer': {
      const layer = enumName(CacheLayerSchema, found.layer).toLowerCase();
      const detail = found.isFollowed ? 'following a generation in flight' : `hit in ${layer}`;
      const replayed = yield* replay(found, [...before, stageFinished(Stage.CACHE, detail)], context);
      if (replayed.kind === 'whole') return true;
      yield { case: 'restarted', value: 'the answer from the cache was interrupted' };
      if (replayed.leaseId !== undefined) yield { case: 'lease', value: replayed.leaseId };
      return false;
    }
    case 'lease':
      yield { case: 'lease', value: found.leaseId };
      yield bypassCache ? stageSkipped(Stage.CACHE, 'bypassed') : stageFinished(Stage.CACHE, 'miss');
      return false;
    case 'none':
      yield stageDegraded(Stage.CACHE, found.reason, 'continued without the cache');
      return false;
    default:
      return found satisfies never;
  }
}

// Returns whether the call of a tool has answered; otherwise documents may.
async function* answerFromTool(
  deps: AskDeps,
  context: CallContext,
  understood: Understood,
  first: PlannedCall,
  state: () => AnswerState,
): AsyncGenerator<AskEvents, boolean> {
  const { settings } = deps;
  const { model, models, tools, language, standalone } = understood;
  const calls = toolCalls(deps, understood);
  const called = yield* beginWithTool(calls, tools, first, context);
  if (called === undefined) return true;
  if (called.kind !== 'result') return false;
  if (!isGenerative(model, models)) yield* writeResult(calls, first, called);
  else {
    yield { case: 'model', value: model };
    const { tool } = first.offered;
    const count = deps.counters.of(tokenizerOf(model, models));
    const prompt = buildPrompt([], standalone, { ...understood, toolTokens: called.tokens }, settings, count);
    const marker = called.passages.length;
    const made = canCallTools(model, models) ? callMessages(tool.name, first.callId, first.arguments, marker) : [];
    const messages = [...prompt.messages, ...made];
    yield* generate(
      { ...generation(deps, context, understood, state()), ...prompt, messages, passages: called.passages },
      context,
    );
  }
  yield checkAnswer(state(), { language, isGenerative: isGenerative(state().model, models) });
  return true;
}

function toolCalls(
  { sessions: store, newId, clock, settings, masks }: AskDeps,
  { language, standalone: question }: Understood,
): ToolCalls {
  const budgetTokens = limitOf('tools', settings.promptBudgetTokens);
  const sessions = masks === undefined ? store : sealProposals(store, masks);
  return { sessions, newId, clock, language, question, budgetTokens };
}

async function* answerFromEvidence(
  deps: AskDeps,
  request: AskRequest,
  context: CallContext,
  understood: Understood,
  state: () => AnswerState,
): AsyncGenerator<AskEvents> {
  const { settings, clients, metrics } = deps;
  const { standalone, language, topK, model, models, modelTools } = understood;
  yield { case: 'model', value: model };
  const { corpora, filter } = request;
  // A model that only quotes chooses sentences of what was found.
  const sectionTokens = isGenerative(model, models) ? settings.sectionTokens : 0;
  const trialVersions = state().trials.filter(({ isCandidate }) => isCandidate);
  const search = { query: standalone, topK, corpora, sectionTokens, trialVersions, ...(filter && { filter }) };
  const retrieved = yield* findEvidence(clients.retrieval, search, context, settings.retrieveTimeoutMs);
  const guarded = retrieved && (yield* guardEvidence(deps, retrieved, context));
  const found = guarded && shortenPassages(guarded, deps.masks);

  yield stageStarted(Stage.PROMPT);
  const toolTokens = modelTools.length === 0 ? 0 : limitOf('tools', settings.promptBudgetTokens);
  const count = deps.counters.of(tokenizerOf(model, models));
  const prompt = await withSpan('prompt.build', {}, async () =>
    buildPrompt(found ?? [], request.question, { ...understood, toolTokens }, settings, count),
  );
  const { passages, tokens, shortenedCount } = prompt;
  metrics.promptTokens.observe({ part: 'evidence' }, tokens);
  metrics.promptTokens.observe({ part: 'history' }, historyTokens(understood.history, understood.summary, count));
  yield sources(sealPassages(passages, deps.masks));
  const shortened = shortenedCount === 0 ? '' : `, ${shortenedCount} shortened`;
  yield stageFinished(
    Stage.PROMPT,
    `${passages.length} of ${found?.length ?? 0} passages, ${tokens} tokens${shortened}`,
  );
  if (request.inspectPrompt) yield { case: 'prompt', value: inspectPrompt(prompt, isGenerative(model, models)) };

  // A model with tools may answer without documents.
  if (passages.length === 0 && modelTools.length === 0) {
    const { noEvidence, searchFailed } = localizedText(language);
    // No model writes this.
    yield { case: 'model', value: '' };
    yield { case: 'outcome', value: AnswerOutcome.REFUSED };
    yield stageSkipped(Stage.GENERATE, 'no evidence');
    yield textDelta(found === undefined ? searchFailed : noEvidence);
    return;
  }
  yield* generate({ ...generation(deps, context, understood, state(), request.temperature), ...prompt }, context);
  // Its reader has the text: searches of questions that have none come first.
  await spareTurn(maxSpareWaitMs, context.signal);
  yield checkAnswer(state(), { language, isGenerative: isGenerative(state().model, models) });
}

// Returns the passages that follow every rule, and says which of them do not.
async function* guardEvidence(
  { guardrails }: AskDeps,
  found: readonly Passage[],
  { principal, signal }: CallContext,
): AsyncGenerator<AskEvents, Passage[]> {
  const { passages, verdicts } = await guardrails.evidence(principal.tenant, found, signal);
  if (verdicts.length > 0) yield verdicts.map((value) => ({ case: 'guardrail', value }));
  return passages;
}

// What every generation of an answer has in common.
function generation(
  deps: AskDeps,
  { principal }: CallContext,
  understood: Understood,
  state: AnswerState,
  temperature?: number,
) {
  const { llm } = deps.clients;
  const { maxAnswerBytes } = deps.settings;
  const { language, maxTokens, model, models, modelTools } = understood;
  const tools = modelTools.length === 0 ? undefined : createModelTools(toolCalls(deps, understood), modelTools);
  return {
    ...{ llm, answerId: state.answerId, language, maxTokens, temperature, model, models, maxAnswerBytes, tools },
    questions: [state.question, state.standalone],
    policy: deps.settings.verification(principal.tenant),
    masks: deps.masks,
    scorer: deps.scorer,
  };
}
