import type { Client } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { testQuestion } from './answers.ts';
import { type Measure, outcomeOf } from './measure.ts';

/** Measures what chat takes messages for. The question is cancelled when chat has said it: nothing is written. */
export const measureRouter = (chat: Pick<Client<typeof ChatService>, 'ask'>, timeoutMs: number): Measure => ({
  timeoutMs,
  isJudged: ({ act }) => act !== undefined,
  async ask({ text, act }, way, options) {
    for await (const { event } of chat.ask(testQuestion(text, way), options)) {
      if (event.case === 'started') return outcomeOf(Number(event.value.act === act?.act));
    }
    throw unavailable('chat', 'the answer ended before it began');
  },
});
