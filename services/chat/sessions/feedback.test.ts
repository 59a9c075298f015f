import { afterAll, beforeAll, expect, test } from 'vitest';
import { FeedbackReason, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let now = Date.now();
beforeAll(async () => {
  chat = await startChat({ clock: () => now });
});
afterAll(() => chat.mesh.close());

const user = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'ann', roles: [Role.READER] }));
const operator = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'op', roles: [Role.OPERATOR] }));
const feedback = () => chat.mesh.client(FeedbackService);

test('an operator reads feedback with its reasons, passages and version, after the session is gone', async () => {
  const ann = await user('north');
  const { answerId, sessionId } = await chat.ask({ question: 'How long?', createSession: true }, ann);
  const reasons = [FeedbackReason.OUTDATED, FeedbackReason.WRONG, FeedbackReason.WRONG];
  await chat.client.submitFeedback({ answerId, rating: Rating.UP }, ann);
  await chat.client.submitFeedback({ answerId, rating: Rating.DOWN, comment: '过期了', reasons }, ann);
  await chat.client.deleteSession({ sessionId }, ann);
  const found = await feedback().listFeedback({}, await operator('north'));
  expect(found).toMatchObject({
    feedback: [
      {
        ...{ answerId, user: 'ann', rating: Rating.DOWN, comment: '过期了', model: 'writer' },
        reasons: [FeedbackReason.WRONG, FeedbackReason.OUTDATED],
        citations: [{ marker: 1, chunkId: 'd1#0', documentId: 'd1', corpus: 'help', version: 3n }],
      },
    ],
    nextPageToken: '',
  });
  expect((await feedback().listFeedback({}, await operator('south'))).feedback).toEqual([]);
});

test('a user cannot read feedback', async () => {
  const reading = feedback().listFeedback({}, await user('north'));
  expect(await reading.catch((error: unknown) => errorInfoOf(error)?.reason)).toBe('ROLE_MISSING');
});

test('feedback is selected by rating, reason and time, page by page, the latest first', async () => {
  const ann = await user('pages');
  const ids: string[] = [];
  for (let index = 0; index < 5; index++) {
    now += 1000;
    const { answerId } = await chat.ask({ question: `question ${index}` }, ann);
    ids.push(answerId);
    const reasons = index % 2 === 0 ? [FeedbackReason.TONE] : [];
    await chat.client.submitFeedback({ answerId, rating: index === 4 ? Rating.UP : Rating.DOWN, reasons }, ann);
  }
  const as = await operator('pages');
  const list = async (query: Parameters<ReturnType<typeof feedback>['listFeedback']>[0]) => {
    const page = await feedback().listFeedback(query, as);
    return { ids: page.feedback.map(({ answerId }) => ids.indexOf(answerId)), token: page.nextPageToken };
  };
  expect((await list({ reason: FeedbackReason.TONE })).ids).toEqual([4, 2, 0]);
  expect((await list({ rating: Rating.UP })).ids).toEqual([4]);
  expect((await list({ since: { seconds: BigInt(Math.floor((now - 1000) / 1000)), nanos: 0 } })).ids).toEqual(
    expect.arrayContaining([4, 3]),
  );
  const first = await list({ pageSize: 3 });
  expect(first.ids).toEqual([4, 3, 2]);
  expect(await list({ pageSize: 3, pageToken: first.token })).toEqual({ ids: [1, 0], token: '' });
  await expect(list({ pageToken: 'nonsense' })).rejects.toThrow(/page_token/);
});

test('feedback is removed after its own time', async () => {
  const ann = await user('old');
  const { answerId } = await chat.ask({ question: 'old' }, ann);
  await chat.client.submitFeedback({ answerId, rating: Rating.UP }, ann);
  now += 100 * 86_400_000;
  await chat.ask({ question: 'purges sessions' }, await user('old'));
  const count = async () => (await feedback().listFeedback({}, await operator('old'))).feedback.length;
  expect(await count()).toBe(1);
  now += 300 * 86_400_000;
  // A purge follows an answer, once in a while.
  const countLater = async () => {
    now += 2 * 3_600_000;
    await chat.ask({ question: 'purges feedback' }, await user('old'));
    return count();
  };
  await expect.poll(countLater, { timeout: 10_000, interval: 10 }).toBe(0);
});
