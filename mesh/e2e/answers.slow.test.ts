import { readFileSync } from 'node:fs';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { InboxService } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { EvaluationService, type JudgedQuerySchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { judgeAnswer, type Verdict } from '#kit/text/facts/judge-answer.ts';
import { answerGold, readAnswerSets } from '../cli/eval/answers/questions.ts';
import { askWhole, startWholeMesh, type WholeMesh } from './testing/whole-mesh.ts';

// As in production without a collector: nothing is recorded, and yet every answer has a trace id.
const telemetry = startTelemetry(undefined, 'test');
let mesh: WholeMesh;
let chat: Client<typeof ChatService>;
const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const transportOf = (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: '2' });
beforeAll(async () => {
  mesh = await startWholeMesh();
  chat = createClient(ChatService, transportOf(mesh.edgeUrl));
});
afterAll(async () => {
  await mesh.close();
  await telemetry.close();
});

const gold = new URL('../../deployments/sample-gold/', import.meta.url);
const lines = (name: string) => readFileSync(new URL(name, gold), 'utf8').split('\n').filter(Boolean);
const queries = lines('queries.jsonl').map((line) => JSON.parse(line) as { id: string; text: string });
/** Of the subjects in deployments/answer-gold/shop: how many answers are right at least, and wrong at most. */
const caseLimits: Record<string, { right: number; wrong: number }> = {
  open: { right: 26, wrong: 4 },
  'negated-lists': { right: 19, wrong: 0 },
  'product-prices': { right: 36, wrong: 2 },
};
const relevant = Map.groupBy(
  lines('qrels.tsv').map((line) => line.split('\t') as [string, string, string]),
  ([query]) => query,
);

describe('a question from the sample', () => {
  test.each([
    ['PPR-9087 出现 E-07 自动关机', /E-07/, ['zh/ppr-9087.md', 'en/ppr-9087.md']],
    ['专票要在订单完成后多久之内申请？', /90 天/, ['zh/invoices-vat.md']],
    ['支付报错 P-409 是什么意思', /重复提交/, ['zh/payment.md']],
    ['How long do I have to send back unwashed bedding?', /30/, ['en/returns.md', 'zh/returns.md']],
  ])('%s', async (question, expected, documents) => {
    const { text, citations, sources, done } = await askWhole(chat, { question }, as(mesh.devKey));
    expect(done.outcome).toBe(AnswerOutcome.ANSWERED);
    expect(text).toMatch(expected);
    expect(citations.map(({ documentId }) => documentId).some((id) => documents.includes(id))).toBe(true);
    for (const { marker, documentId } of citations) {
      expect(text).toContain(`[${marker}]`);
      expect(sources[marker - 1]?.documentId).toBe(documentId);
    }
  });

  test('is answered alike over Connect, gRPC and gRPC-Web', async () => {
    const question = 'Are fabric swatches free?';
    const transports = [
      transportOf(mesh.edgeUrl),
      createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '1.1' }),
      createGrpcTransport({ baseUrl: mesh.edgeUrl }),
      createGrpcWebTransport({ baseUrl: mesh.edgeUrl, httpVersion: '1.1' }),
    ];
    const texts = new Set<string>();
    for (const transport of transports) {
      const answer = await askWhole(createClient(ChatService, transport), { question }, as(mesh.devKey));
      texts.add(answer.text);
    }
    expect(texts.size).toBe(1);
  });

  test('goes through every stage, and the second time comes from the cache', async () => {
    const question = 'What is the commission for sellers of lamps?';
    const first = await askWhole(chat, { question }, as(mesh.devKey));
    expect(first.events[0]?.event.case).toBe('started');
    expect(first.events.at(-1)?.event.case).toBe('done');
    expect(first.done.degradations).toEqual([]);
    expect(first.done.traceId).toMatch(/^[0-9a-f]{32}$/);
    const again = await askWhole(chat, { question: ` ${question.toUpperCase()} ` }, as(mesh.devKey));
    expect(again.done.cacheLayer).toBe(CacheLayer.MEMORY);
    expect(again.text).toBe(first.text);
    expect(again.done.answerId).not.toBe(first.done.answerId);
  });

  test('that only staff may know is refused to a customer, also after staff asked it', async () => {
    const question = 'What is the goodwill refund limit of an L1 agent?';
    const staff = await askWhole(chat, { question }, as(mesh.devKey));
    expect(staff.text).toContain('50');
    const customer = await askWhole(chat, { question }, as(mesh.customerKey));
    expect(customer.sources.filter(({ documentId }) => /^(staff|merchant)\//.test(documentId))).toEqual([]);
    expect(customer.done.cacheLayer).toBe(CacheLayer.UNSPECIFIED);
    expect(customer.text).not.toContain('L1');
  });
});

test('questions that the documents do not answer are refused, in the language of the question', async () => {
  const unanswerable = lines('unanswerable.jsonl').map((line) => JSON.parse(line) as { text: string });
  let refused = 0;
  for (const { text: question } of unanswerable) {
    const { done, text } = await askWhole(chat, { question }, as(mesh.devKey));
    if (done.outcome !== AnswerOutcome.REFUSED) continue;
    refused++;
    expect(/\p{Script=Han}/u.test(text)).toBe(/\p{Script=Han}/u.test(question));
  }
  // A model that only quotes cannot distinguish a question about the Rotterdam warehouse from one that its page answers.
  expect(refused / unanswerable.length).toBeGreaterThanOrEqual(0.65);
});

test('questions that customers reported, negated lists and prices of products are answered or refused, and few wrongly', async () => {
  const questions = readAnswerSets(answerGold).find(({ name }) => name === 'shop')?.questions ?? [];
  const verdicts = new Map<string, Verdict[]>();
  for (const question of questions.filter(({ subject }) => subject in caseLimits)) {
    const { text, done } = await askWhole(chat, { question: question.text }, as(mesh.customerKey));
    const verdict = judgeAnswer(question, done.outcome === AnswerOutcome.ANSWERED ? text : undefined);
    verdicts.set(question.subject, [...(verdicts.get(question.subject) ?? []), verdict]);
  }
  for (const [subject, { right, wrong }] of Object.entries(caseLimits)) {
    const own = verdicts.get(subject) ?? [];
    expect(own.filter((verdict) => verdict === 'right').length, subject).toBeGreaterThanOrEqual(right);
    expect(own.filter((verdict) => verdict === 'wrong').length, subject).toBeLessThanOrEqual(wrong);
  }
});

test('most answers to judged questions cite a document that answers them', async () => {
  let cited = 0;
  let asked = 0;
  for (const { id, text: question } of queries) {
    const { citations, done } = await askWhole(chat, { question }, as(mesh.devKey));
    // Quotations support themselves.
    expect(done.unsupportedClaims).toEqual([]);
    expect(done.verified).toBe(done.outcome === AnswerOutcome.ANSWERED);
    const documents = new Set(relevant.get(id)?.map(([, document]) => document));
    asked++;
    if (citations.some(({ documentId }) => documents.has(documentId))) cited++;
  }
  expect(cited / asked).toBeGreaterThanOrEqual(0.75);
});

test('a follow-up is understood in its session, which its user alone can read', async () => {
  const question = 'How long is the warranty of the LMP-2040?';
  const first = await askWhole(chat, { question, createSession: true }, as(mesh.devKey));
  const { sessionId } = first.done;
  const second = await askWhole(chat, { question: 'and the VAC-3300?', sessionId }, as(mesh.devKey));
  const started = second.events[0]?.event;
  expect(started?.case === 'started' && started.value.standaloneQuestion).toMatch(/warranty/i);
  const session = await chat.getSession({ sessionId }, as(mesh.devKey));
  expect(session.turns.map(({ question }) => question)).toEqual([
    'How long is the warranty of the LMP-2040?',
    'and the VAC-3300?',
  ]);
  await expect(chat.getSession({ sessionId }, as(mesh.customerKey))).rejects.toThrow(/no session/);
});

test('calls without a session do not fill the history of a person, over any protocol', async () => {
  const sessionsOf = async () => {
    const { sessions } = await chat.listSessions({ pageSize: 200 }, as(mesh.devKey));
    return sessions.map(({ sessionId }) => sessionId);
  };
  const post = (path: string, body: unknown) =>
    fetch(`${mesh.edgeUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${mesh.devKey}` },
      body: JSON.stringify(body),
    }).then((response) => response.text());
  const before = await sessionsOf();
  const messages = [{ role: 'user', content: 'Are fabric swatches free?' }];
  expect(await post('/v1/chat/completions', { model: 'ragmesh', messages })).toContain('"finish_reason":"stop"');
  expect(await post('/v1/chat/completions', { model: 'ragmesh', messages, stream: true })).toContain('[DONE]');
  expect(await post('/v1/chat/stream', { query: 'Are fabric swatches free?' })).toContain('event: done');
  await askWhole(chat, { question: 'Are fabric swatches free?' }, as(mesh.devKey));
  expect(await sessionsOf()).toEqual(before);
  const kept = await post('/v1/chat/stream', { query: 'Are fabric swatches free?', create_session: true });
  const [, sessionId = ''] = /"session_id":"([^"]+)"/.exec(kept) ?? [];
  expect(await sessionsOf()).toEqual([sessionId, ...before]);
});

test('every answer is in the audit with its sources, and the chain holds', async () => {
  const transport = transportOf(mesh.edgeUrl);
  const audit = createClient(AuditService, transport);
  const { done, sources } = await askWhole(chat, { question: '通话录音会保存多长时间' }, as(mesh.devKey));
  const [entry] = await collect(audit.queryAudit({ answerId: done.answerId }, as(mesh.devKey)));
  expect(entry?.entry?.record).toMatchObject({ question: '通话录音会保存多长时间', traceId: done.traceId });
  expect(entry?.entry?.record?.evidence.map(({ documentId }) => documentId)).toEqual(
    sources.map(({ documentId }) => documentId),
  );
  expect((await audit.verifyChain({}, as(mesh.devKey))).intact).toBe(true);
  const denied = collect(audit.queryAudit({}, as(mesh.customerKey)));
  await expect(denied).rejects.toThrow(/needs the role "auditor"/);
});

test('a cited passage opens in its document, and a deleted document is gone everywhere immediately', async () => {
  const transport = transportOf(mesh.edgeUrl);
  const [indexer, retrieval] = [createClient(IndexerService, transport), createClient(RetrievalService, transport)];
  const question = 'Are gift cards refundable?';
  const before = await askWhole(chat, { question }, as(mesh.devKey));
  const passage = before.sources.find(({ documentId }) => documentId === 'en/gift-cards.html');
  if (passage === undefined)
    throw new Error(`gift cards are not among ${before.sources.map((source) => source.documentId)}`);
  const { corpus, documentId, chunkId } = passage;
  const opened = await indexer.getDocument({ corpus, documentId }, as(mesh.devKey));
  expect(opened.text.slice(passage.startOffset, passage.endOffset)).toBe(passage.text);
  await indexer.deleteDocuments({ corpus, documentIds: [documentId] }, as(mesh.devKey));
  await expect(indexer.getDocument({ corpus, documentId }, as(mesh.devKey))).rejects.toThrow(/no document/);
  expect((await retrieval.getPassages({ chunkIds: [chunkId] }, as(mesh.devKey))).passages).toEqual([]);
  const after = await askWhole(chat, { question }, as(mesh.devKey));
  expect(after.done.cacheLayer).toBe(CacheLayer.UNSPECIFIED);
  expect(after.sources.map((source) => source.documentId)).not.toContain(documentId);
});

describe('the suites of the evaluation', () => {
  const runSuite = async (suite: SuiteKind, queries: MessageInitShape<typeof JudgedQuerySchema>[]) => {
    const client = createClient(EvaluationService, transportOf(mesh.edgeUrl));
    const dataSet = `suite-${suite}`;
    await client.addQueries({ dataSet, queries }, as(mesh.devKey));
    for await (const { event } of client.runEvaluation({ dataSet, suite, withQuestions: true }, as(mesh.devKey))) {
      if (event.case === 'run') return event.value;
    }
    throw new Error('the run ended without a result');
  };
  const fact = (...wordings: string[]) => ({ facts: [{ wordings }] });

  test('measure answers, conversations and the router of the running mesh, and leave the inbox as it was', async () => {
    const inbox = createClient(InboxService, transportOf(mesh.edgeUrl));
    const countOpen = async () => {
      const { topics } = await inbox.listTopics({ pageSize: 100 }, as(mesh.devKey));
      return topics.reduce((sum, { questionCount }) => sum + Number(questionCount), 0);
    };
    const before = await countOpen();
    const answered = await runSuite(SuiteKind.ANSWERS, [
      { queryId: 'vat', text: '专票要在订单完成后多久之内申请？', answer: fact('90 天') },
      { queryId: 'wrong', text: '支付报错 P-409 是什么意思', answer: fact('wrong on purpose') },
      { queryId: 'none', text: 'Who won the chess championship of 1972?', answer: {} },
    ]);
    expect(answered.failedCount).toBe(0);
    expect(answered.questions.map(({ queryId, scores }) => [queryId, scores[0]])).toEqual([
      ['none', 1],
      ['vat', 1],
      ['wrong', 0],
    ]);
    const continued = await runSuite(SuiteKind.CONVERSATIONS, [
      { queryId: 'vat', text: '那要多久之内申请？', earlier: ['专票可以开吗？'], answer: fact('90 天') },
    ]);
    expect(continued).toMatchObject({ queryCount: 1, failedCount: 0 });
    const routed = await runSuite(SuiteKind.ROUTER, [
      { queryId: 'hello', text: 'Hello!', act: { act: ConversationAct.GREETING } },
      { queryId: 'person', text: 'I want to talk to a person', act: { act: ConversationAct.HANDOVER } },
    ]);
    expect(routed.metrics).toMatchObject([{ name: 'Right act', mean: 1 }]);
    expect(await countOpen()).toBe(before);
  });

  test('measure the check of sentences and personal data', async () => {
    const source = 'Returns are accepted within 30 days of delivery.';
    const verified = await runSuite(SuiteKind.VERIFIER, [
      { queryId: 'right', text: 'Returns are accepted within 30 days.', claim: { source, isSupported: true } },
      { queryId: 'wrong', text: 'Returns are accepted within 90 days.', claim: { source } },
    ]);
    expect(verified.metrics[0]).toMatchObject({ name: 'Right verdict', mean: 1 });
    const found = await runSuite(SuiteKind.PERSONAL_DATA, [
      { queryId: 'mail', text: 'Write to ann@shop.cn.', personalData: { values: ['ann@shop.cn'] } },
    ]);
    expect(found.metrics).toMatchObject([{ mean: 1 }, { mean: 1 }]);
  });
});
