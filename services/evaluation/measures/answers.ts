import { create } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import {
  type AskRequest,
  AskRequestSchema,
  type ChatService,
  type Turn,
  TurnSchema,
} from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Degradation, Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { AnswerJudgement } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { hasFact, judgeAnswer } from '#kit/text/facts/judge-answer.ts';
import type { Measure, Way } from './measure.ts';

/** Longest time for an answer, in milliseconds. */
const timeoutMs = 60_000;
/** Passages of a question at most: the limit of chat. */
const maxTopK = 50;

type Chat = Pick<Client<typeof ChatService>, 'ask'>;

/** Measures answers: the facts in them, their citations and refusals. `inConversations`: of questions with earlier ones, else of those without. */
export const measureAnswers = (chat: Chat, inConversations: boolean): Measure => ({
  timeoutMs,
  isJudged: ({ answer, earlier }) => answer !== undefined && earlier.length > 0 === inConversations,
  async ask({ text, earlier, answer: judgement }, way, options) {
    const history: Turn[] = [];
    for (const question of earlier) {
      const { text: answer, outcome } = await ask(chat, question, way, history, options);
      history.push(create(TurnSchema, { question, answer, outcome }));
    }
    const answer = await ask(chat, text, way, history, options);
    return { scores: score(answer, judgement), degradations: answer.degradations };
  },
});

interface Answer {
  text: string;
  outcome: AnswerOutcome;
  cited: Passage[];
  degradations: readonly Degradation[];
}

async function ask(
  chat: Chat,
  question: string,
  way: Way,
  history: readonly Turn[],
  options: CallOptions,
): Promise<Answer> {
  let text = '';
  let passages: readonly Passage[] = [];
  const markers = new Set<number>();
  for await (const { event } of chat.ask(testQuestion(question, way, history), options)) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'reset') text = '';
    if (event.case === 'sources') passages = event.value.passages;
    if (event.case === 'citation') markers.add(event.value.marker);
    if (event.case !== 'done') continue;
    const cited = [...markers].flatMap((marker) => passages[marker - 1] ?? []);
    return { text, cited, outcome: event.value.outcome, degradations: event.value.degradations };
  }
  throw unavailable('chat', 'the answer ended before it was complete');
}

/** Returns the request of a question that measures: no session, not from the cache, not for the inbox. */
export function testQuestion(question: string, { template, model }: Way, history: readonly Turn[] = []): AskRequest {
  const { corpora, filter, topK } = template;
  return create(AskRequestSchema, {
    ...{ question, model, corpora, history: [...history], bypassCache: true, isTest: true },
    topK: Math.min(topK, maxTopK),
    ...(filter && { filter }),
  });
}

// The figures of a question, in the order of `figures.ts`.
function score({ text, outcome, cited }: Answer, judgement: AnswerJudgement | undefined): number[] {
  const facts = (judgement?.facts ?? []).map(({ wordings }) => wordings);
  const isRefused = outcome === AnswerOutcome.REFUSED;
  const verdict = judgeAnswer({ facts, forbidden: judgement?.forbidden ?? [] }, isRefused ? undefined : text);
  const isAnswerable = facts.length > 0;
  const isCited = isAnswerable ? cited.some((passage) => hasFact({ facts }, passage)) : isRefused;
  return [verdict === 'right', verdict !== 'wrong', isRefused !== isAnswerable, isCited].map(Number);
}
