import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AskResponseSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { isRetryable, policyOf } from '#kit/rpc/policy.ts';
import { createClients } from './clients.ts';
import { retrying } from './retry.ts';

const away = () => new ConnectError('away', Code.Unavailable);
const instantly = retrying({ sleep: async () => {}, random: () => 0 });

test('a read is repeated as often as the contract says, and only while the server is not available', async () => {
  const method = RetrievalService.method.getPassages;
  expect(isRetryable(method)).toBe(true);
  const { maxAttempts } = policyOf(method);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 6 }), fc.constantFrom(Code.Unavailable, Code.Internal), async (failures, code) => {
      let calls = 0;
      const transport = createRouterTransport(
        ({ rpc }) =>
          rpc(method, () => {
            if (++calls <= failures) throw new ConnectError('no', code);
            return {};
          }),
        { transport: { interceptors: [instantly] } },
      );
      const outcome = await createClients(transport)
        .retrieval.getPassages({ chunkIds: ['c'] })
        .then(
          () => 'well',
          (error) => ConnectError.from(error).code,
        );
      const most = code === Code.Unavailable ? maxAttempts : 1;
      expect(calls).toBe(Math.min(failures + 1, most));
      expect(outcome).toBe(failures < most ? 'well' : code);
    }),
  );
});

test('what changes something is sent once', async () => {
  const method = CuratedAnswerService.method.deleteCuratedAnswer;
  expect(isRetryable(method)).toBe(false);
  let calls = 0;
  const transport = createRouterTransport(
    ({ rpc }) =>
      rpc(method, () => {
        calls++;
        throw away();
      }),
    { transport: { interceptors: [instantly] } },
  );
  const { curatedAnswer } = createClients(transport);
  await expect(curatedAnswer.deleteCuratedAnswer({})).rejects.toMatchObject({ code: Code.Unavailable });
  expect(calls).toBe(1);
});

test('a stream is repeated before its first message, and never after it', async () => {
  const method = RetrievalService.method.retrieve;
  expect(isRetryable(method)).toBe(true);
  for (const sent of [0, 1]) {
    let calls = 0;
    const transport = createRouterTransport(
      ({ rpc }) =>
        rpc(method, async function* ({ query }) {
          calls++;
          expect(query).toBe('q');
          if (sent === 1 || calls === 2) yield { event: { case: 'leg', value: {} } };
          if (calls === 1) throw away();
        }),
      { transport: { interceptors: [instantly] } },
    );
    let received = 0;
    const read = async () => {
      for await (const _ of createClients(transport).retrieval.retrieve({ query: 'q' })) received++;
    };
    if (sent === 0) await read();
    else await expect(read()).rejects.toMatchObject({ code: Code.Unavailable });
    expect([calls, received]).toEqual(sent === 0 ? [2, 1] : [1, 1]);
  }
});

test('an answer, which the contract does not repeat, passes as it is', async () => {
  const transport = createRouterTransport(
    ({ rpc }) =>
      rpc(ChatService.method.ask, async function* () {
        yield create(AskResponseSchema, { event: { case: 'textDelta', value: { text: 'a' } } });
      }),
    { transport: { interceptors: [instantly] } },
  );
  const texts: unknown[] = [];
  for await (const { event } of createClients(transport).chat.ask({ question: 'q' })) texts.push(event.value);
  expect(texts).toMatchObject([{ text: 'a' }]);
});
