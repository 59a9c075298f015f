import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { Counter } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome, CacheLayer, ClaimFault } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { type ScriptedModel, startScriptedModel } from './testing/scripted-model.ts';
import { askWhole, startWholeMesh, type WholeMesh } from './testing/whole-mesh.ts';

// What a model writes reaches a caller and the cache only with a verdict on its facts.

let model: ScriptedModel;
let mesh: WholeMesh;
let chat: Client<typeof ChatService>;
let audit: Client<typeof AuditService>;
const as = () => ({ headers: { authorization: `Bearer ${mesh.devKey}` } });
beforeAll(async () => {
  model = await startScriptedModel();
  mesh = await startWholeMesh({
    config: {
      llmGateway: {
        models: [
          { name: 'writer', adapter: 'openai-compatible', settings: { base_url: model.url, model: 'scripted' } },
          { adapter: 'extractive' },
        ],
      },
    },
  });
  const transport = createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' });
  chat = createClient(ChatService, transport);
  audit = createClient(AuditService, transport);
});
afterAll(async () => {
  await mesh.close();
  await model[Symbol.asyncDispose]();
});

/** Sentences counted so far. */
async function countOf(fault: string): Promise<number> {
  const { values } = await (
    mesh.host.metrics.registry.getSingleMetric('ragmesh_unsupported_claim_total') as Counter
  ).get();
  return values.find(({ labels }) => labels.fault === fault)?.value ?? 0;
}

const ask = (question: string) => askWhole(chat, { question }, as());

/** The marker of the passage with `text` among the sources of a question. */
async function markerOf(question: string, text: string): Promise<number> {
  model.answerWith('?');
  const { sources } = await askWhole(chat, { question, bypassCache: true }, as());
  const index = sources.findIndex((passage) => passage.text.includes(text));
  expect(index).toBeGreaterThanOrEqual(0);
  return index + 1;
}

test.each([
  ['How long do I have to send back unwashed bedding?', 'Textiles (bedding', '97 days, and ¥888 [N].', '30 days [N].'],
  ['床品没有下水，多少天内可以退货？', '未下水', '可以在 97 天内退货，扣 $888 [N]。', '三十天内可以退货 [N]。'],
  ['床品几天内可以退货？', 'Textiles (bedding', '45天内可以退货 [N]。', '30天内可以退货 [N]。'],
])(
  'an invented fact is not shown and not cached, and a right answer is: %s',
  async (question, passage, wrong, right) => {
    const marker = await markerOf(question, passage);
    model.answerWith(wrong.replace('[N]', `[${marker}]`));
    const requestCount = () => model.requests.length;
    for (const round of [1, 2]) {
      const before = requestCount();
      const countBefore = await countOf('fact');
      const { done, text } = await ask(question);
      expect(requestCount(), `round ${round}`).toBe(before + 1);
      expect(await countOf('fact')).toBe(countBefore + 1);
      expect(text).not.toMatch(/97|888|45/);
      expect(text).toMatch(/\p{L}/u);
      expect(done).toMatchObject({
        verified: false,
        cacheLayer: CacheLayer.UNSPECIFIED,
        unsupportedClaims: [{ start: 0, fault: ClaimFault.FACT, markers: [marker] }],
      });
      expect(done.degradations.map(({ reason }) => reason)).toContain('UNSUPPORTED_FACT in 1 sentence');
      const [entry] = await collect(audit.queryAudit({ answerId: done.answerId }, as()));
      expect(entry?.entry?.record?.unsupportedClaims).toMatchObject([{ fault: ClaimFault.FACT, markers: [marker] }]);
    }
    model.answerWith(right.replace('[N]', `[${marker}]`));
    const mended = await ask(question);
    expect(mended.done).toMatchObject({ verified: true, unsupportedClaims: [], degradations: [] });
    model.answerWith(undefined);
    const again = await ask(question);
    expect(again.done).toMatchObject({ verified: true, cacheLayer: CacheLayer.MEMORY });
    expect(again.text).toBe(mended.text);
  },
);

test('a fact that only another passage has is not supported by the cited one', async () => {
  const question = 'What does a missing remote control cost?';
  const marker = await markerOf(question, 'CNY 45');
  const other = marker === 1 ? 2 : 1;
  model.answerWith(`A missing remote control costs CNY 45 [${other}].`);
  const wrong = await ask(question);
  // The other passage could have the amount as well.
  expect(wrong.sources[other - 1]?.text).not.toContain('45');
  expect(wrong.done.unsupportedClaims).toMatchObject([{ fault: ClaimFault.FACT, markers: [other] }]);
});

test.each(['   ', ' \n\n', '[1]', '[1][2] ', '。'])(
  'an answer of nothing but %j is replaced by a quotation',
  async (blank) => {
    model.answerWith(blank);
    const { text, done } = await ask(`Are fabric swatches free? ${'?'.repeat(blank.length)}`);
    expect(text).toMatch(/\p{L}/u);
    expect(done).toMatchObject({ model: 'extractive', degradations: [{ stage: Stage.GENERATE }] });
  },
);

test.each([
  ['What is the capital of the shipping moon?', 'The passages do not mention this.'],
  ['配送月球的首都是什么？', '抱歉，资料中没有提到这个问题。建议您联系人工客服。'],
])("a model's own refusal ends as one: %s", async (question, refusal) => {
  model.answerWith(refusal);
  const { done, text } = await ask(question);
  expect(text).toBe(refusal);
  expect(done).toMatchObject({ outcome: AnswerOutcome.REFUSED, unsupportedClaims: [] });
});

test('an answer in another language than the question is marked', async () => {
  model.answerWith('织物样品是免费的，欢迎您随时索取 [1]。');
  const { done } = await askWhole(chat, { question: 'Do fabric swatches cost money?', language: Language.EN }, as());
  expect(done.unsupportedClaims).toMatchObject([{ fault: ClaimFault.LANGUAGE }]);
  expect(done.verified).toBe(false);
});

test('server-sent events and completions show the verdict', async () => {
  const question = 'For how many days can I return a lamp that I tried once?';
  model.answerWith('You have 97 days [1].');
  const post = (path: string, body: object) =>
    fetch(`${mesh.edgeUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${mesh.devKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const claim = { start: 0, fault: 'fact', markers: [1] };
  const events = await (await post('/v1/chat/stream', { query: question })).text();
  const verdict = JSON.parse(/event: verdict\ndata: (.*)/.exec(events)?.[1] ?? '{}');
  expect(verdict.sentences[0]).toMatchObject({ start: 0, support: 'number_not_in_source', score: 0, markers: [1] });
  const done = JSON.parse(/event: done\ndata: (.*)/.exec(events)?.[1] ?? '{}');
  expect(done).toMatchObject({ verified: false, unsupported_claims: [claim] });
  const messages = [{ role: 'user', content: question }];
  const whole = await (await post('/v1/chat/completions', { model: 'ragmesh', messages })).json();
  expect(whole).toMatchObject({ verified: false, unsupported_claims: [claim] });
  const chunks = await (await post('/v1/chat/completions', { model: 'ragmesh', messages, stream: true })).text();
  expect(chunks).toContain('"verified":false,"unsupported_claims":[{"start":0,');
  for (const shown of [events, JSON.stringify(whole), chunks]) expect(shown).not.toContain('97 days');
});
