import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, startChat } from '../../testing/chat.ts';

let chat: ChatMesh;
let now = Date.now();
beforeAll(async () => {
  chat = await startChat({ clock: () => now });
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  for (const list of Object.values(chat.seen)) list.length = 0;
  chat.script.match = () => undefined;
});

const user = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'ann', roles: [Role.READER] }));
const operator = (tenant: string) => chat.mesh.as(testPrincipal({ tenant, user: 'op', roles: [Role.OPERATOR] }));
const answers = () => chat.mesh.client(CuratedAnswerService);
/** Replicas see a change within a second. */
const later = () => {
  now += 1001;
};
const entry = {
  id: 'holiday',
  corpus: 'help',
  questions: ['Are you open on holidays?', '节假日营业吗？'],
  answer: 'We are closed on public holidays.',
  url: 'https://shop.example/hours',
};

test('a curated answer comes before search and model, cites itself, and is audited with its version', async () => {
  await answers().putCuratedAnswer(entry, await operator('shop'));
  later();
  for (const question of ['are you open on holidays', 'ARE YOU OPEN ON HOLIDAYS ?!', '節假日營業嗎']) {
    const asked = await chat.ask({ question }, await user('shop'));
    expect(asked).toMatchObject({
      text: 'We are closed on public holidays. [1]',
      citations: [{ chunkId: 'curated/holiday', title: 'Are you open on holidays?', version: 1n, url: entry.url }],
      done: { outcome: AnswerOutcome.ANSWERED, verified: true, model: '', degradations: [] },
    });
  }
  expect([chat.seen.retrieved, chat.seen.generated]).toEqual([[], []]);
  expect(chat.seen.records[0]?.evidence).toMatchObject([{ chunkId: 'curated/holiday', version: 1n, corpus: 'help' }]);
});

test('a question of the same meaning gets it if the semantic cache says so', async () => {
  await answers().putCuratedAnswer(entry, await operator('meaning'));
  later();
  const question = 'Are you people open on public holidays?';
  expect((await chat.ask({ question }, await user('meaning'))).text).not.toContain('closed');
  chat.script.match = ({ candidates }) => candidates.indexOf('Are you open on holidays?');
  expect((await chat.ask({ question }, await user('meaning'))).text).toContain('closed');
  chat.script.match = () => {
    throw new Error('away');
  };
  expect((await chat.ask({ question: `${question}!` }, await user('meaning'))).done?.outcome).toBe(
    AnswerOutcome.ANSWERED,
  );
});

test('versions stay, a withdrawn answer is not given, and a new version brings it back', async () => {
  const as = await operator('versions');
  await answers().putCuratedAnswer(entry, as);
  const { answer } = await answers().putCuratedAnswer({ ...entry, answer: 'Open until noon.' }, as);
  expect(answer).toMatchObject({ version: 2n, changedBy: 'op' });
  const ask = async () => {
    later();
    return (await chat.ask({ question: 'Are you open on holidays?' }, await user('versions'))).text;
  };
  expect(await ask()).toBe('Open until noon. [1]');
  await answers().deleteCuratedAnswer({ id: 'holiday' }, as);
  expect(await ask()).not.toContain('noon');
  expect((await answers().listCuratedAnswers({}, as)).answers).toEqual([]);
  await answers().putCuratedAnswer(entry, as);
  expect(await ask()).toContain('closed');
  const { versions } = await answers().listCuratedVersions({ id: 'holiday' }, as);
  expect(versions.map(({ version, deleted }) => [Number(version), deleted])).toEqual([
    [4, false],
    [3, true],
    [2, false],
    [1, false],
  ]);
});

test('only operators maintain answers, and only of their tenant and for corpora that the caller sees', async () => {
  const denied = answers().putCuratedAnswer(entry, await user('own'));
  expect(await denied.catch((error: unknown) => errorInfoOf(error)?.reason)).toBe('ROLE_MISSING');
  await answers().putCuratedAnswer({ ...entry, corpus: 'secret' }, await operator('own'));
  later();
  expect((await chat.ask({ question: 'Are you open on holidays?' }, await user('own'))).text).not.toContain('closed');
  const missing = answers().deleteCuratedAnswer({ id: 'holiday' }, await operator('nobody'));
  expect(await missing.catch((error: unknown) => errorInfoOf(error)?.reason)).toBe('RESOURCE_NOT_FOUND');
});

test('answers are listed page by page, and written concurrently without a lost version', async () => {
  const as = await operator('pages');
  const put = (id: string) => answers().putCuratedAnswer({ ...entry, id }, as);
  await Promise.all(['a', 'b', 'c'].map(put));
  const first = await answers().listCuratedAnswers({ pageSize: 2 }, as);
  const second = await answers().listCuratedAnswers({ pageSize: 2, pageToken: first.nextPageToken }, as);
  expect([first, second].map(({ answers: page }) => page.map(({ id }) => id))).toEqual([['a', 'b'], ['c']]);
  await Promise.all([put('a'), put('a')]);
  const { versions } = await answers().listCuratedVersions({ id: 'a' }, as);
  expect(versions.map(({ version }) => Number(version))).toEqual([3, 2, 1]);
});
