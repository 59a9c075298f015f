import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { FeedbackService } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { PersonalDataConfigSchema, PersonalDataMode } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readPersonalData } from '#kit/personal-data/policy.ts';
import { createSealer } from '#kit/personal-data/seal.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, found, passagesOf, says, startChat } from '../../testing/chat.ts';

const phone = '13812345678';
const question = `我的手机号是${phone}，怎么换绑？`;
const bytes = randomBytes(32);

const startWith = (mode: PersonalDataMode, readerGroups: string[] = []) => {
  const keys = [{ id: 'k1', key: bytes.toString('base64') }];
  const config = create(PersonalDataConfigSchema, { policies: [{ mode, readerGroups }], keys });
  return startChat({ settings: { personalData: readPersonalData(config) } });
};

/** All that other services, the cache and the audit have received. */
const received = ({ seen }: ChatMesh) =>
  JSON.stringify(seen, (_, value) => (typeof value === 'bigint' ? String(value) : value));

describe.each([
  ['mask', PersonalDataMode.MASK],
  ['reversible', PersonalDataMode.REVERSIBLE],
] as const)('%s', (name, mode) => {
  let chat: ChatMesh;
  let script: ChatMesh['script'];
  beforeAll(async () => {
    chat = await startWith(mode);
    script = { ...chat.script };
  });
  afterAll(() => chat.mesh.close());
  beforeEach(() => {
    Object.assign(chat.script, script);
    for (const list of Object.values(chat.seen)) list.length = 0;
  });
  const mask = name === 'mask' ? '[PHONE_1]' : /\[PHONE_[0-9a-f]{8}\]/;

  test('no other service, no record and no cached answer has what was asked', async () => {
    chat.script.generate = (request) => {
      const written = /\[PHONE_\w+\]/.exec(request.messages.at(-1)?.text ?? '')?.[0] ?? '';
      // The mask arrives in pieces, and the model adds a number of its own.
      return says('Returns are free for ', 'seven days [1]. Yours: ', ...written, ' 13999999999.');
    };
    const options = await chat.mesh.as();
    const asked = await chat.ask({ question, createSession: true }, options);
    await chat.client.submitFeedback(
      { answerId: asked.answerId, rating: Rating.DOWN, comment: `call ${phone}` },
      options,
    );
    const operator = await chat.mesh.as(testPrincipal({ roles: [Role.OPERATOR] }));
    const { feedback } = await chat.mesh.client(FeedbackService).listFeedback({}, operator);
    expect(feedback[0]?.comment).toMatch(mask);
    expect(received(chat)).not.toContain(phone);
    expect(received(chat)).not.toContain('13999999999');
    expect(chat.seen.generated[0]?.messages.at(-1)?.text).toMatch(mask);
    // Not without a mask.
    expect(chat.seen.generated[0]?.messages[0]?.text).toContain('[PHONE_1]');
    await chat.ask({ question: 'How long?' });
    expect(chat.seen.generated.at(-1)?.messages[0]?.text).not.toContain('[PHONE_1]');
    expect(chat.seen.lookups[0]?.question).toMatch(mask);
    expect(chat.seen.records[0]?.answer).toMatch(mask);
    expect(chat.seen.fills[0]?.ended).toBe('commit');
    expect(asked.text).toMatch(name === 'mask' ? /Yours: \[PHONE_1\] \[PHONE\]\.$/ : `Yours: ${phone} [PHONE].`);
    const { turns } = await chat.client.getSession({ sessionId: asked.sessionId }, options);
    expect(turns[0]?.question).toBe(name === 'mask' ? question.replace(phone, '[PHONE_1]') : question);
    expect(turns[0]?.answer).toBe(asked.text);
  });

  test('an answer of the cache is for the values of the one who asks', async () => {
    chat.script.generate = (request) =>
      says(`Free for seven days [1]. ${/\[PHONE_\w+\]/.exec(request.messages.at(-1)?.text ?? '')?.[0]}.`);
    const first = await chat.ask({ question: `Can ${phone} be returned?` });
    const second = await chat.ask({ question: `Can ${phone} be returned?` });
    expect(chat.seen.generated).toHaveLength(1);
    expect(second.text).toBe(first.text);
    expect(first.text).toContain(name === 'mask' ? '[PHONE_1]' : phone);
  });
});

test('an original of a document is for members of the reader groups, also from the cache', async () => {
  await using chat = await startWith(PersonalDataMode.REVERSIBLE, ['service']);
  const tenant = 'acme';
  const sealed = createSealer([{ id: 'k1', bytes }], tenant).seal('PHONE', phone);
  chat.script.retrieve = () => found(passagesOf(`Call the manager at ${sealed} about returns.`));
  chat.script.generate = (request) => says(`${request.evidence[0]?.text.slice(0, -1)} [1].`);
  const ask = async (groups: string[]) =>
    chat.ask({ question: 'How do I reach the manager?' }, await chat.mesh.as(testPrincipal({ tenant, groups })));
  const reader = await ask(['service']);
  expect(reader.text).toBe(`Call the manager at ${phone} about returns [1].`);
  expect(reader.passages[0]?.text).toContain(phone);
  const again = await ask(['service']);
  expect(again.text).toBe(reader.text);
  expect(chat.seen.generated).toHaveLength(1);
  const other = await ask(['sales']);
  expect(other.text).toMatch(/^Call the manager at \[PHONE_[0-9a-f]{8}\] about returns \[1\]\.$/);
  expect(JSON.stringify(other.passages[0]?.text)).not.toContain(phone);
  expect(received(chat)).not.toContain(phone);
  // The verdicts name places of the text that is shown.
  expect(chat.seen.generated[0]?.evidence[0]?.text).toMatch(/at \[PHONE_[0-9a-f]{8}\] about/);
});
