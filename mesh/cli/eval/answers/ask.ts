import { setTimeout } from 'node:timers/promises';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { type ChatService, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { judgeAnswer } from '#kit/text/facts/judge-answer.ts';
import { CommandError } from '../../command.ts';
import type { JudgedAnswer } from './judge.ts';
import type { JudgedQuestion } from './questions.ts';

/** How often a question is asked again if the caller's rate limit is reached, and after how long. */
const maxTries = 30;
const againMs = 1000;

/** An answer, of whatever set. */
export type Asked = Omit<JudgedAnswer, 'set' | 'question'>;

const nothing = { text: '', passages: [], cited: [], isVerified: false, stages: [], latencyMs: 0, isDegraded: false };

/** Asks a question. One that fails counts as wrong. */
export async function askPatiently(
  chat: Client<typeof ChatService>,
  question: JudgedQuestion,
  corpus: string,
  model: string,
): Promise<Asked> {
  try {
    return await patiently(() => ask(chat, question, corpus, model));
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { ...nothing, verdict: 'wrong', failure };
  }
}

/** Calls, again after a while if the rate limit of the key is reached. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      const isLimited = error instanceof ConnectError && error.code === Code.ResourceExhausted;
      if (!isLimited || tried >= maxTries) throw error;
      await setTimeout(againMs);
    }
  }
}

/** Asks a question, and judges its answer. */
async function ask(
  chat: Client<typeof ChatService>,
  question: JudgedQuestion,
  corpus: string,
  model: string,
): Promise<Asked> {
  const startedAt = performance.now();
  let text = '';
  let passages: Passage[] = [];
  const cited = new Set<number>();
  const stages: { stage: Stage; latencyMs: number }[] = [];
  const request = { question: question.text, corpora: [corpus], model, bypassCache: true, isTest: true };
  for await (const { event } of chat.ask(request)) {
    if (event.case === 'textDelta') text += event.value.text;
    if (event.case === 'reset') text = '';
    if (event.case === 'sources') passages = event.value.passages;
    if (event.case === 'citation') cited.add(event.value.marker - 1);
    if (event.case === 'stage' && event.value.status === StageStatus.FINISHED) {
      stages.push({ stage: event.value.stage, latencyMs: Number(event.value.latencyUs) / 1000 });
    }
    if (event.case !== 'done') continue;
    const isRefused = event.value.outcome === AnswerOutcome.REFUSED;
    return {
      verdict: judgeAnswer(question, isRefused ? undefined : text),
      text,
      passages,
      cited: [...cited],
      isVerified: event.value.verified,
      stages,
      latencyMs: performance.now() - startedAt,
      isDegraded: event.value.degradations.length > 0,
      failure: undefined,
    };
  }
  throw new CommandError('the stream ended before the answer was complete');
}
