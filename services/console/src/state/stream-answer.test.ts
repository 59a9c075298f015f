import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { says } from '../../testing/answers.ts';
import type { AnswerUpdate } from './ask.ts';
import { streamAnswer } from './stream-answer.ts';

const text = (words: string) => create(AskResponseSchema, { event: says(words) });

async function run(stream: (signal: AbortSignal) => AsyncIterable<AskResponse>, controller = new AbortController()) {
  const batches: AnswerUpdate[][] = [];
  const chat = {
    ask: (_: unknown, options?: { signal?: AbortSignal }) => stream(options?.signal ?? controller.signal),
  };
  await streamAnswer(
    chat,
    { question: 'q' },
    controller.signal,
    (updates) => batches.push(updates),
    () => 5,
  );
  return batches;
}

describe('the stream of an answer', () => {
  test('shows concurrent events in one batch, and the end', async () => {
    const batches = await run(async function* () {
      yield text('one ');
      yield text('two');
    });
    expect(batches.map((batch) => batch.map(({ kind }) => kind))).toEqual([['response', 'response', 'ended']]);
  });

  test('shows what is there while it waits for more', async () => {
    const shown = Promise.withResolvers<void>();
    const batches: AnswerUpdate[][] = [];
    const chat = {
      async *ask() {
        yield text('one');
        await shown.promise;
        yield text('two');
      },
    };
    await streamAnswer(chat, { question: 'q' }, new AbortController().signal, (updates) => {
      batches.push(updates);
      shown.resolve();
    });
    expect(batches.map((batch) => batch.map(({ kind }) => kind))).toEqual([['response'], ['response', 'ended']]);
  });

  test('ends as stopped after an abort, whatever the transport throws', async () => {
    const controller = new AbortController();
    const batches = await run(async function* () {
      yield text('one');
      controller.abort();
      throw new ConnectError('aborted', Code.Unknown);
    }, controller);
    expect(batches.flat().at(-1)).toMatchObject({ kind: 'stopped' });
  });

  test('ends as failed after an error', async () => {
    // biome-ignore lint/correctness/useYield: it fails before its first event
    const batches = await run(async function* () {
      throw new ConnectError('draining', Code.Unavailable);
    });
    expect(batches.flat()).toEqual([
      { kind: 'failed', failure: { kind: 'unavailable', message: 'draining' }, atMs: 5 },
    ]);
  });
});
