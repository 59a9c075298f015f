import type { Client, HandlerContext } from '@connectrpc/connect';
import { type AskResponse, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type Language, type Passage, Stage, type TokenUsage } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type LLMGatewayService,
  type Message,
  MidStreamPolicy,
  type Model,
  Outcome,
  OutcomeSchema,
  Task,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { unavailable } from '#kit/base/errors.ts';
import { forward } from '#kit/rpc/context.ts';
import { createCitationScanner, type Scanned } from '../prompt/citations.ts';
import { type Course, respond } from './course.ts';
import { reasonOf, rethrowIfFinal } from './reason.ts';
import { textsIn } from './texts.ts';

/** What to generate an answer from. */
export interface Generation {
  llm: Client<typeof LLMGatewayService>;
  /** The conversation for a model that writes. */
  messages: Message[];
  /** The conversation for a model that only quotes: it reads the last message alone, which must stand alone. */
  plainMessages: Message[];
  passages: readonly Passage[];
  language: Language;
  maxTokens: number;
  temperature: number | undefined;
  /** The models that there are, where known. */
  models: readonly Model[] | undefined;
  maxAnswerBytes: number;
  /** Which request of the answer it is, beyond the first. */
  attempt?: number;
}

/** The model that quotes, which needs nothing but the evidence. */
const quotingModel = 'extractive';

/**
 * Streams an answer, its markers resolved. A model that fails before its first word is replaced by the one that quotes; after
 * that, what was shown stays, and the answer says that it is a part. Throws UNAVAILABLE where no model has answered.
 */
export async function* generate(
  generation: Generation,
  context: HandlerContext,
  course: Course,
): AsyncGenerator<AskResponse> {
  yield course.begin(Stage.GENERATE);
  const failure = yield* attempt(generation, context, course);
  if (failure === undefined) return;
  const hasQuoting = generation.models?.some(({ name }) => name === quotingModel) ?? false;
  if (!hasQuoting || course.model === quotingModel) throw noModel(failure);
  yield course.degrade(Stage.GENERATE, failure.reason, 'quoted the evidence instead');
  course.model = quotingModel;
  const again = yield* attempt({ ...generation, messages: generation.plainMessages, attempt: 2 }, context, course);
  if (again !== undefined) throw noModel(again);
}

interface Failure {
  reason: string;
  cause: unknown;
}

// Runs the model that `course` names. Resolves to why it failed before its first word; otherwise the course has its outcome.
async function* attempt(
  generation: Generation,
  context: HandlerContext,
  course: Course,
): AsyncGenerator<AskResponse, Failure | undefined> {
  const { llm, passages, language, maxTokens, temperature, models, maxAnswerBytes } = generation;
  let scanner = createCitationScanner(passages.length);
  // Blanks and markers before the first word. They are shown with it: an answer of nothing else is no answer.
  let lead: Scanned | undefined = { text: '', markers: [] };
  let outcome: Outcome = Outcome.TRUNCATED;
  let cause: unknown;
  let usage: TokenUsage | undefined;
  let answerBytes = 0;
  const show = function* (scanned: Scanned) {
    let shown = scanned;
    if (lead !== undefined) {
      lead = { text: lead.text + scanned.text, markers: [...lead.markers, ...scanned.markers] };
      if (isBlank(lead.text)) return;
      shown = lead;
      lead = undefined;
    }
    yield* toResponses(shown, passages);
  };
  try {
    const request = {
      model: course.model,
      messages: isGenerative(course.model, models) ? generation.messages : generation.plainMessages,
      evidence: [...passages],
      maxTokens,
      ...(temperature === undefined ? {} : { temperature }),
      language,
      // Each request of an answer is settled by itself; the ledger knows the answer by what stands before the slash.
      requestId: generation.attempt === undefined ? course.answerId : `${course.answerId}/${generation.attempt}`,
      midStreamPolicy: MidStreamPolicy.RESTART,
      task: Task.ANSWER,
    };
    for await (const { event } of llm.generate(request, forward(context))) {
      switch (event.case) {
        case 'started':
          course.model ||= event.value.model;
          break;
        case 'textDelta':
          answerBytes += Buffer.byteLength(event.value.text);
          yield* show(scanner.push(event.value.text));
          break;
        case 'reset':
          scanner = createCitationScanner(passages.length);
          lead = { text: '', markers: [] };
          answerBytes = 0;
          if (course.text !== '') yield respond({ case: 'reset', value: { reason: event.value.reason.slice(0, 512) } });
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
      if (answerBytes <= maxAnswerBytes) continue;
      outcome = Outcome.LENGTH;
      break;
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    outcome = Outcome.UPSTREAM_ERROR;
    cause = error;
  }
  yield* show(scanner.end());
  if (course.text === '' && isFailureWithoutText(outcome)) {
    const name = enumName(OutcomeSchema, outcome).toLowerCase();
    return { reason: cause === undefined ? `no text, outcome ${name}` : reasonOf(cause), cause };
  }
  // What has no words of its own still ends with some.
  if (course.text === '') yield respond({ case: 'textDelta', value: { text: ownWords(outcome, language) } });
  course.outcome = toAnswerOutcome(outcome);
  if (usage !== undefined) yield respond({ case: 'usage', value: usage });
  if (course.outcome === AnswerOutcome.TRUNCATED) {
    const reason = cause === undefined ? `outcome ${enumName(OutcomeSchema, outcome).toLowerCase()}` : reasonOf(cause);
    yield course.degrade(Stage.GENERATE, reason, 'the answer is a part');
  } else {
    yield course.end(Stage.GENERATE, StageStatus.FINISHED, course.model);
  }
  return undefined;
}

function* toResponses({ text, markers }: Scanned, passages: readonly Passage[]) {
  if (text !== '') yield respond({ case: 'textDelta', value: { text } });
  for (const marker of markers) {
    const passage = passages[marker - 1];
    if (passage === undefined) continue;
    const { chunkId, documentId, title, url, corpus } = passage;
    yield respond({ case: 'citation', value: { marker, chunkId, documentId, title, url, corpus } });
  }
}

/** Whether a text has no word, number or picture beside its markers. */
function isBlank(text: string): boolean {
  return !/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(text.replaceAll(/\[\d{1,3}\]/g, ''));
}

/** Whether a model writes text of its own; one that is not listed is taken to. */
export function isGenerative(name: string, models: readonly Model[] | undefined): boolean {
  return models?.find((model) => model.name === name)?.generative ?? true;
}

function isFailureWithoutText(outcome: Outcome): boolean {
  return outcome !== Outcome.NO_EVIDENCE && outcome !== Outcome.FILTERED;
}

function ownWords(outcome: Outcome, language: Language): string {
  const texts = textsIn(language);
  return outcome === Outcome.FILTERED ? texts.filtered : texts.noEvidence;
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
