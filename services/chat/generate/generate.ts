import type { Client } from '@connectrpc/connect';
import { AnswerDefect, AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Language, type Passage, Stage, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type LLMGatewayService,
  type Message,
  MessageRole,
  MidStreamPolicy,
  type Model,
  Outcome,
  OutcomeSchema,
  Task,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { RequestMasks } from '#kit/personal-data/request-masks.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import {
  type AskEvent,
  type AskEvents,
  reset,
  stageDegraded,
  stageFinished,
  stageStarted,
  textDelta,
} from '../answer/events.ts';
import { describeFailure, rethrowIfFinal } from '../answer/failure.ts';
import { localizedText } from '../answer/localized-text.ts';
import { type ModelTools, maxToolRounds } from '../tools/model-tools.ts';
import { isGenerative } from '../understand/models.ts';
import type { VerificationPolicy } from '../verify/policy.ts';
import { createModelVerifier, type ModelVerifierDeps } from '../verify/support-by-model.ts';
import { createFindUnwanted } from '../verify/unwanted.ts';
import { createVerifier } from '../verify/verifier.ts';
import { type AnswerText, createAnswerText } from './answer-text.ts';
import { assistantTurn, type CallAssembly, type CallingTurn, createCallAssembly } from './call-assembly.ts';
import { maskAnswerText } from './mask-answer-text.ts';
import { createUsageSum } from './usage-sum.ts';

/** What to generate an answer from. */
export interface Generation {
  llm: Pick<Client<typeof LLMGatewayService>, 'generate'>;
  /** Names the answer in the ledger. */
  answerId: string;
  /** The conversation for a model that writes. */
  messages: Message[];
  /** The conversation for a model that only quotes: it reads the last message alone, which has the standalone question. */
  plainMessages: Message[];
  passages: readonly Passage[];
  /** The question as it was asked, and the standalone question. */
  questions: readonly string[];
  /** What becomes of written sentences that the passages do not support. */
  policy: VerificationPolicy;
  /** The model that scores written sentences; `undefined`: their words are compared. */
  scorer: Pick<ModelVerifierDeps, 'rerank' | 'settings'> | undefined;
  language: Language;
  maxTokens: number;
  temperature: number | undefined;
  /** Alias of the model to ask; empty for the gateway's default. */
  model: string;
  /** The models that exist; `undefined` if they are not known. */
  models: readonly Model[] | undefined;
  /** Longest answer in bytes of UTF-8. */
  maxAnswerBytes: number;
  /** Tools that the model may call; `undefined`: none. */
  tools: ModelTools | undefined;
  /** Masks of the request, if its tenant masks personal data. */
  masks: RequestMasks | undefined;
}

/** The model that quotes, which needs nothing but the evidence. */
const quotingModel = 'extractive';

/**
 * Streams an answer with its markers resolved. If a model fails before its first word, the model that quotes is the fallback; if it
 * fails later, the text stays and the answer says that it is a part. Throws UNAVAILABLE if no model answers.
 */
export async function* generate(generation: Generation, context: CallContext): AsyncGenerator<AskEvents> {
  const { answerId, model, models, messages, plainMessages } = generation;
  yield stageStarted(Stage.GENERATE);
  const chosen = isGenerative(model, models) ? messages : plainMessages;
  const spend = createUsageSum();
  let turn: Attempt = { model, messages: chosen, requestId: answerId, passages: generation.passages, spend };
  let first: Attempted;
  for (let round = 1; ; round++) {
    first = yield* attempt(generation, { ...turn, mayCall: round < maxToolRounds }, context);
    if (first.calls === undefined || generation.tools === undefined) break;
    const called = yield* generation.tools.run(first.calls.calls, turn.passages, context);
    if (called === undefined) return;
    const messages = [...turn.messages, assistantTurn(first.calls), ...called.messages];
    // The ledger settles each request by itself, and finds the answer by the part before the slash.
    turn = {
      ...turn,
      messages,
      shownLength: first.shownLength ?? 0,
      passages: called.passages,
      requestId: `${answerId}/t${round + 1}`,
    };
  }
  if (first.failure === undefined) return;
  const hasQuoting = models?.some(({ name }) => name === quotingModel) ?? false;
  if (!hasQuoting || first.model === quotingModel) return yield* withoutAnswer(first.failure, generation);
  yield stageDegraded(Stage.GENERATE, first.failure.reason, 'quoted the evidence instead');
  yield { case: 'model', value: quotingModel };
  const again = { ...turn, model: quotingModel, messages: plainMessages, requestId: `${answerId}/2`, mayCall: false };
  const second = yield* attempt({ ...generation, tools: undefined }, again, context);
  if (second.failure !== undefined) yield* withoutAnswer(second.failure, generation);
}

// What a model wrote was withheld: the caller is notified. Otherwise no model has answered.
function* withoutAnswer(failure: Failure, { language }: Generation): Generator<AskEvents> {
  if (!failure.isWithheld) throw noModel(failure);
  yield textDelta(localizedText(language).withheld);
  yield { case: 'outcome', value: AnswerOutcome.REFUSED };
  yield stageDegraded(Stage.GENERATE, failure.reason, 'the answer was withheld');
}

/** Returns what makes the text of an answer by a model; quotations are compared as well, and only annotated. */
function textsOf(
  { questions, policy, maxTokens, messages, models, masks, scorer }: Generation,
  { passages, shownLength = 0 }: Attempt,
  context: CallContext,
): (model: string) => AnswerText {
  const byWords = createVerifier({ passages, questions }, policy.minSupport);
  const byModel = scorer && createModelVerifier(byWords, { ...scorer, passages, context });
  const systemText = messages.find(({ role }) => role === MessageRole.SYSTEM)?.text ?? '';
  const findUnwanted = createFindUnwanted({ passages, systemText });
  return (model) =>
    maskAnswerText(
      createAnswerText({
        // Quotations need no model.
        verify: isGenerative(model, models) ? (byModel ?? byWords) : byWords,
        ...{ passages, findUnwanted, maxTokens, shownLength },
        policy: isGenerative(model, models) ? policy : undefined,
      }),
      masks?.maskAnswers(passages.map(({ text }) => text)),
    );
}

interface Attempt {
  model: string;
  messages: Message[];
  requestId: string;
  /** What the text may cite. */
  passages: readonly Passage[];
  /** Length of the text of the answer that is shown already, in UTF-16 code units. */
  shownLength?: number;
  /** Whether the model may call tools. */
  mayCall?: boolean;
  /** Sums the usage of all requests of the answer. */
  spend: (usage: TokenUsage) => TokenUsage;
}

interface Failure {
  reason: string;
  cause: unknown;
  /** Whether it wrote something that was withheld. */
  isWithheld: boolean;
}

interface Attempted {
  /** The model that was asked, as far as it is known. */
  model: string;
  /** Why it failed before its first word. */
  failure?: Failure;
  /** The tools that it calls instead of an answer. */
  calls?: CallingTurn;
  /** Length of the text of the answer then, in UTF-16 code units. */
  shownLength?: number;
}

// Asks one model. Without a failure, the outcome of the answer is among the events.
async function* attempt(
  generation: Generation,
  given: Attempt,
  context: CallContext,
): AsyncGenerator<AskEvents, Attempted> {
  let { model } = given;
  const createText = textsOf(generation, given, context);
  let text = createText(model);
  let outcome: Outcome = Outcome.TRUNCATED;
  let cause: unknown;
  let usage: TokenUsage | undefined;
  let calls = createCallAssembly();
  try {
    for await (const { event } of generation.llm.generate(requestOf(generation, given), context.forward())) {
      switch (event.case) {
        case 'started':
          model ||= event.value.model;
          yield { case: 'model', value: model };
          break;
        case 'textDelta':
          yield await text.push(event.value.text);
          break;
        case 'reset':
          if (text.isShown()) yield reset(event.value.reason);
          text = createText(model);
          calls = createCallAssembly();
          break;
        case 'reasoningDelta':
          calls.addReasoning(event.value.text);
          break;
        case 'toolCallDelta':
          calls.add(event.value);
          break;
        case 'usage':
          usage = event.value;
          break;
        case 'done':
          outcome = event.value.outcome;
          break;
        default:
          break;
      }
      if (text.sizeBytes() <= generation.maxAnswerBytes && text.runaway() === undefined) continue;
      outcome = Outcome.LENGTH;
      break;
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    outcome = Outcome.UPSTREAM_ERROR;
    cause = error;
  }
  return yield* conclude(generation, given, { model, text, outcome, cause, usage, calls });
}

/** What is known at the end of an attempt. */
interface Ended {
  model: string;
  text: AnswerText;
  outcome: Outcome;
  cause: unknown;
  usage: TokenUsage | undefined;
  calls: CallAssembly;
}

async function* conclude(
  { language }: Generation,
  { mayCall = false, spend }: Attempt,
  { model, text, outcome, cause, usage, calls }: Ended,
): AsyncGenerator<AskEvents, Attempted> {
  yield await text.end();
  const turn = calls.end(text.written());
  if (outcome === Outcome.TOOL_CALLS && mayCall && turn.calls.length > 0) {
    if (usage !== undefined) yield { case: 'usage', value: spend(usage) };
    return { model, calls: turn, shownLength: text.length() };
  }
  const runaway = text.runaway();
  if (runaway !== undefined) yield { case: 'defect', value: runaway };
  const outcomeName = enumName(OutcomeSchema, outcome).toLowerCase();
  if (!text.isShown() && isFailureWithoutText(outcome)) {
    const isWithheld = text.isWithheld();
    if (cause === undefined && !isWithheld) yield { case: 'defect', value: AnswerDefect.EMPTY };
    const nothing = isWithheld ? 'no sentence is supported by its passages' : `no text, outcome ${outcomeName}`;
    return { model, failure: { reason: cause === undefined ? nothing : describeFailure(cause), cause, isWithheld } };
  }
  if (!text.isShown())
    yield textDelta(localizedText(language)[outcome === Outcome.FILTERED ? 'filtered' : 'noEvidence']);
  yield { case: 'outcome', value: toAnswerOutcome(outcome) };
  if (usage !== undefined) yield { case: 'usage', value: spend(usage) };
  yield stageEnd(outcome, model, cause === undefined ? `outcome ${outcomeName}` : describeFailure(cause));
  return { model };
}

function requestOf(
  { language, maxTokens, temperature, tools }: Generation,
  { model, messages, requestId, passages, mayCall = false }: Attempt,
) {
  return {
    model,
    messages,
    evidence: [...passages],
    maxTokens,
    ...(temperature !== undefined && { temperature }),
    language,
    requestId,
    midStreamPolicy: MidStreamPolicy.RESTART,
    task: Task.ANSWER,
    // A conversation with calls needs their tools, also if no more may be called.
    ...(tools !== undefined && {
      tools: [...tools.definitions],
      toolChoice: { mode: mayCall ? ToolChoiceMode.AUTO : ToolChoiceMode.NONE },
    }),
  };
}

function stageEnd(outcome: Outcome, model: string, reason: string): AskEvent {
  return toAnswerOutcome(outcome) === AnswerOutcome.TRUNCATED
    ? stageDegraded(Stage.GENERATE, reason, 'the answer is a part')
    : stageFinished(Stage.GENERATE, model);
}

function isFailureWithoutText(outcome: Outcome): boolean {
  return outcome !== Outcome.NO_EVIDENCE && outcome !== Outcome.FILTERED;
}

function toAnswerOutcome(outcome: Outcome): AnswerOutcome {
  switch (outcome) {
    case Outcome.COMPLETE:
      return AnswerOutcome.ANSWERED;
    case Outcome.NO_EVIDENCE:
      return AnswerOutcome.REFUSED;
    case Outcome.LENGTH:
      return AnswerOutcome.LENGTH;
    case Outcome.FILTERED:
      return AnswerOutcome.FILTERED;
    default:
      return AnswerOutcome.TRUNCATED;
  }
}

function noModel({ reason, cause }: Failure) {
  return unavailable('llm-gateway', `no model has answered (${reason}): try again`, cause);
}
