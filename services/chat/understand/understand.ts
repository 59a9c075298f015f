import { ConnectError } from '@connectrpc/connect';
import type { AskRequest, Turn } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Model } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { notFound, unavailable } from '#kit/base/errors.ts';
import { withSpan } from '#kit/base/span.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { converse, type Move } from '../acts/converse.ts';
import type { Replies } from '../acts/replies.ts';
import { backgroundCall } from '../answer/background.ts';
import { answerLanguage } from '../answer/localized-text.ts';
import type { AnswerState } from '../answer/state.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { ChatSettings } from '../config.ts';
import { type HandoverStep, noHandover } from '../handover/state.ts';
import type { Summary } from '../prompt/summary.ts';
import type { OpenSessions } from '../sessions/in-flight/open-sessions.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { planDecision } from '../tools/decision.ts';
import { maskPlan, maskTool, shortenPlan } from '../tools/masked-tool.ts';
import { noTools, planByAct, type ToolPlan } from '../tools/plan.ts';
import { toolTexts } from '../tools/texts.ts';
import type { OfferedTool, Toolbox } from '../tools/toolbox.ts';
import { type InterpretDeps, interpret } from './interpret.ts';
import { canCallTools, isGenerative, type Models } from './models.ts';
import { noPast, type PastDeps, readPast } from './past.ts';

/** What is known of a question before it is searched for. */
export interface Understood {
  /** Empty if the answer belongs to no session. */
  sessionId: string;
  /** Whether the session is not in the store yet. */
  isNewSession: boolean;
  /** What the conversation does with the message. */
  move: Move;
  /** Turns before this question, oldest first. */
  turns: readonly PastTurn[];
  /** The question, understandable without the turns before it. */
  standalone: string;
  language: Language;
  /** Passages to find. */
  topK: number;
  /** Longest completion, in tokens. */
  maxTokens: number;
  /** Alias of the model to ask; empty if the default one is not known. */
  model: string;
  /** The models that exist; `undefined` if they are not known. */
  models: readonly Model[] | undefined;
  /** Turns that go into the prompt, oldest first. */
  history: readonly PastTurn[];
  /** The turns before them. */
  summary: Summary;
  /** What tools do with the message. */
  tools: ToolPlan;
  /** Tools that the model may call. */
  modelTools: readonly OfferedTool[];
}

/** What understanding a question needs. */
export interface UnderstandDeps extends Omit<InterpretDeps, 'settings'>, Pick<PastDeps, 'background'> {
  settings: ChatSettings;
  sessions: Sessions;
  openSessions: OpenSessions;
  models: Models;
  replies: Replies;
  toolbox: Toolbox;
  newId: () => string;
  /** Masks of the request, if its tenant masks personal data. */
  masks?: RequestMasks | undefined;
}

/** Turns that are read for the rewrite, even if the prompt takes fewer. */
const minTurns = 4;

/**
 * Reads the session and the list of models concurrently, and makes the question standalone. Throws NOT_FOUND if the caller has no
 * such session, and UNAVAILABLE if the session cannot be read.
 */
export async function understand(
  deps: UnderstandDeps,
  request: AskRequest,
  context: CallContext,
  { answerId, askedAtMs }: Pick<AnswerState, 'answerId' | 'askedAtMs'>,
): Promise<Understood> {
  const { settings } = deps;
  const { tenant } = context.principal;
  const listing = deps.models.list(tenant, backgroundCall(context, settings.listTimeoutMs));
  const offering = offerTools(deps, context);
  const rewriting = withSpan('rag.rewrite', {}, async () => {
    const session = await readSession(deps, request, context);
    const { sessionId, isNew: isNewSession } = session;
    if (sessionId !== '') {
      const ask = { sessionId, isNewSession, answerId, question: request.question, askedAtMs };
      session.isNew = !(await deps.sessions.open(context.principal, ask));
    }
    const { question } = request;
    const said = { question, turns: session.turns, models: await listing, answerId };
    const { routed, standalone: alone } = await interpret(deps, said, context);
    const language = answerLanguage(request.language, question);
    const move = converse({ ...{ text: question, tenant, language, routed }, ...session }, deps);
    // A reply is to the message as it is.
    if (move.reply !== undefined) return { session, move, standalone: question };
    const { text: standalone, isRewritten } = alone;
    const isFollowUp = isRewritten && move.act === ConversationAct.QUESTION;
    return { session, standalone, move: isFollowUp ? { ...move, act: ConversationAct.FOLLOW_UP } : move };
  });
  const [{ session, standalone, move }, models, offered] = await Promise.all([rewriting, listing, offering]);
  const model = request.model || models?.[0]?.name || '';
  const generative = isGenerative(model, models);
  // A model that only quotes reads the question alone.
  const past =
    generative && move.reply === undefined
      ? await readPast(
          deps,
          { sessionId: session.isNew ? '' : session.sessionId, turns: session.turns, models, answerId },
          context,
        )
      : noPast;
  const planned = await planTools(deps, request, context, { move, turns: session.turns, offered, model, models });
  return {
    sessionId: session.sessionId,
    isNewSession: session.isNew,
    turns: session.turns,
    standalone: planned.tools.question ?? standalone,
    language: answerLanguage(request.language, planned.tools.question ?? request.question),
    topK: request.topK || (generative ? settings.topK : settings.quotedTopK),
    maxTokens: Math.min(request.maxTokens || settings.maxCompletionTokens, settings.maxCompletionTokens),
    model,
    models,
    ...past,
    ...planned,
  };
}

interface BeforeTools {
  move: Move;
  turns: readonly PastTurn[];
  offered: readonly OfferedTool[];
  model: string;
  models: readonly Model[] | undefined;
}

async function offerTools({ toolbox, masks }: UnderstandDeps, { principal, signal }: CallContext) {
  const offered = await toolbox.offered(principal, signal);
  return masks === undefined ? offered : offered.map((tool) => maskTool(tool, masks));
}

// A model that can call tools decides itself; for others, the act of the message does.
async function planTools(
  { sessions, route, masks }: UnderstandDeps,
  { question: text, toolDecision, language: asked }: AskRequest,
  { principal }: CallContext,
  { move, turns, offered, model, models }: BeforeTools,
): Promise<Pick<Understood, 'move' | 'tools' | 'modelTools'>> {
  const modelTools = canCallTools(model, models) ? offered : [];
  if (toolDecision !== undefined) {
    const asQuestion = { ...move, act: ConversationAct.QUESTION, reply: undefined, afterRefusal: '', event: undefined };
    const plan = await planDecision(sessions, principal, toolDecision, offered);
    if (plan !== undefined)
      return { move: asQuestion, tools: masks === undefined ? plan : shortenPlan(plan, masks), modelTools };
    const reply = toolTexts(answerLanguage(asked, text)).expired;
    return { move: { ...asQuestion, reply }, tools: noTools, modelTools };
  }
  if (offered.length === 0 || move.reply !== undefined) return { move, tools: noTools, modelTools };
  if (modelTools.length > 0) return { move, tools: { ...noTools, offered }, modelTools };
  // The pattern of an argument is one of its original.
  const plan = planByAct(offered, { text: masks?.restoreForTool(text) ?? text, act: move.act, turns }, route);
  const tools = masks === undefined ? plan : maskPlan(plan, masks);
  if (tools.incomplete === undefined) return { move, tools, modelTools };
  const afterRefusal = toolTexts(answerLanguage(asked, text)).askForSlot(tools.incomplete.tool.title);
  return { move: { ...move, afterRefusal, isClarification: true }, tools, modelTools };
}

interface ReadSession {
  sessionId: string;
  isNew: boolean;
  /** Turns before this question, oldest first. */
  turns: readonly PastTurn[];
  handover: HandoverStep;
}

async function readSession(
  { sessions, openSessions, settings, newId, masks }: UnderstandDeps,
  request: AskRequest,
  context: CallContext,
): Promise<ReadSession> {
  const { sessionId, createSession, history } = request;
  if (sessionId === '') {
    return createSession
      ? { sessionId: newId(), isNew: true, turns: [], handover: noHandover }
      : { sessionId: '', isNew: false, turns: history.map(toPastTurn), handover: noHandover };
  }
  const owner = context.principal;
  try {
    const [others, own] = await Promise.all([
      sessions.turnsOfOthers(owner, sessionId, context.signal),
      openSessions.turns(owner, sessionId),
    ]);
    const [turns, handover] = await Promise.all([
      sessions.load(owner, sessionId, Math.max(settings.historyTurns, minTurns)),
      sessions.handover(owner, sessionId),
    ]);
    if (turns === undefined && own === undefined) throw notFound('session', sessionId);
    const all = [...(turns ?? []), ...others, ...(own ?? [])];
    return {
      sessionId,
      isNew: turns === undefined,
      turns: masks === undefined ? all : all.map(shorten(masks)),
      handover,
    };
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    throw unavailable('session-store', 'the session cannot be read: try again', error);
  }
}

const shorten =
  ({ shortenOwn }: RequestMasks) =>
  (turn: PastTurn): PastTurn => ({ ...turn, question: shortenOwn(turn.question), answer: shortenOwn(turn.answer) });

function toPastTurn({ question, answer, citations, outcome }: Turn): PastTurn {
  return { question, answer, citations, ...(outcome !== AnswerOutcome.UNSPECIFIED && { outcome }) };
}
