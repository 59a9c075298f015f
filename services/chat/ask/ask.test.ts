import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerOutcome, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, type Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { MessageRole, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, found, passagesOf, says, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let original: ChatMesh['script'];
beforeAll(async () => {
  chat = await startChat();
  original = { ...chat.script };
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  Object.assign(chat.script, original);
  for (const list of Object.values(chat.seen)) list.length = 0;
});

describe('an answer', () => {
  test('comes as stages, sources, text, citations, usage and done, in that order', async () => {
    const asked = await chat.ask({ question: 'How long can I return a lamp?', createSession: true });
    expect(asked.text).toBe('Seven days [1].');
    expect(asked.citations).toMatchObject([
      {
        marker: 1,
        chunkId: 'd1#0',
        documentId: 'd1',
        title: 'Document 1',
        corpus: 'help',
        url: 'https://shop.example/d1',
      },
    ]);
    expect(asked.kinds[0]).toBe('started');
    expect(asked.kinds.filter((kind) => kind !== 'stage')).toEqual([
      ...['started', 'sources', 'textDelta', 'citation', 'verdicts', 'usage', 'done'],
    ]);
    expect(asked.stages).toEqual([
      'REWRITE SKIPPED',
      'CACHE STARTED',
      'CACHE FINISHED miss',
      'RETRIEVE STARTED',
      'VECTOR_SEARCH STARTED',
      'KEYWORD_SEARCH STARTED',
      'VECTOR_SEARCH FINISHED 2 candidates',
      'KEYWORD_SEARCH FINISHED 2 candidates',
      'RERANK STARTED',
      'RERANK FINISHED lexical',
      'RETRIEVE FINISHED 2 passages',
      'PROMPT STARTED',
      expect.stringMatching(/^PROMPT FINISHED 2 of 2 passages, \d+ tokens$/),
      'GENERATE STARTED',
      'GENERATE FINISHED writer',
      'VALIDATE FINISHED 1 cited',
    ]);
    expect(asked.done).toMatchObject({
      outcome: AnswerOutcome.ANSWERED,
      model: 'writer',
      degradations: [],
      cacheLayer: CacheLayer.UNSPECIFIED,
      answerId: asked.answerId,
      sessionId: asked.sessionId,
    });
    expect(asked.sessionId).not.toBe('');
  });

  test('is asked of the model with instructions, evidence and language', async () => {
    await chat.ask({ question: '台灯怎么退货？', temperature: 0.5, maxTokens: 99, model: 'writer' });
    const [request] = chat.seen.generated;
    expect(request).toMatchObject({ model: 'writer', maxTokens: 99, temperature: 0.5, language: Language.ZH });
    await chat.ask({ question: '台灯怎么退货？', maxTokens: 100_000, model: 'writer' });
    expect(chat.seen.generated.at(-1)).toMatchObject({ maxTokens: 1024 });
    expect(request?.messages.map(({ role }) => role)).toEqual([MessageRole.SYSTEM, MessageRole.USER]);
    expect(request?.messages[0]?.text).toMatch(/资料/);
    expect(request?.messages.at(-1)?.text).toBe('台灯怎么退货？');
    expect(request?.evidence.map(({ chunkId }) => chunkId)).toEqual(['d1#0', 'd2#0']);
  });

  test('is searched for as the caller says', async () => {
    chat.script.corpora = async () => [{ name: 'a' }, { name: 'b' }];
    await chat.ask({ question: 'where', topK: 3, corpora: ['b'], filter: { documentIds: ['d7'] } });
    expect(chat.seen.retrieved).toMatchObject([{ topK: 3, corpora: ['b'], filter: { documentIds: ['d7'] } }]);
    expect(chat.seen.lookups[0]?.scope?.corpora).toMatchObject([{ corpus: 'b' }]);
  });

  test('is in the audit before it ends, with question, evidence, markers and usage', async () => {
    const asked = await chat.ask({ question: 'What about the audit of returns?', createSession: true });
    expect(chat.seen.records).toHaveLength(1);
    const [record] = chat.seen.records;
    expect(record).toMatchObject({
      answerId: asked.answerId,
      sessionId: asked.sessionId,
      question: 'What about the audit of returns?',
      answer: 'Seven days [1].',
      outcome: AnswerOutcome.ANSWERED,
      citedMarkers: [1],
      model: 'writer',
      usage: { promptTokens: 50n, completionTokens: 5n },
      evidence: [
        { chunkId: 'd1#0', documentId: 'd1', corpus: 'help', version: 3n, score: 0.9 },
        { chunkId: 'd2#0', documentId: 'd2', corpus: 'help', version: 3n, score: 0.8 },
      ],
    });
    expect(record?.firstTextUs).toBeGreaterThan(0n);
    expect(record?.totalUs).toBeGreaterThanOrEqual(record?.firstTextUs ?? 0n);
  });

  test('holds markers that are resolved, however the model wrote and cut them', async () => {
    chat.script.generate = () => says('Both 【', '2】 and [1', ', 2, 7]. See `a[1]` and [', '9].');
    const asked = await chat.ask({ question: 'markers' });
    expect(asked.text).toBe('Both [2] and [1][2]. See `a[1]` and.');
    expect(asked.citations.map(({ marker }) => marker)).toEqual([2, 1]);
  });

  test('starts again after a reset of the model', async () => {
    chat.script.generate = async function* () {
      yield { case: 'textDelta', value: { text: 'Wrong [2]. And' } };
      yield { case: 'reset', value: { reason: 'another target' } };
      yield* says('right [1]');
    };
    const asked = await chat.ask({ question: 'reset' });
    expect(asked.kinds).toContain('reset');
    expect(asked).toMatchObject({ text: 'right [1]', citations: [{ marker: 1 }] });
    expect(chat.seen.records[0]).toMatchObject({ answer: 'right [1]', citedMarkers: [1] });
  });

  test.each([
    [Outcome.NO_EVIDENCE, AnswerOutcome.REFUSED],
    [Outcome.LENGTH, AnswerOutcome.LENGTH],
    [Outcome.FILTERED, AnswerOutcome.FILTERED],
    [Outcome.TRUNCATED, AnswerOutcome.TRUNCATED],
    [Outcome.UPSTREAM_ERROR, AnswerOutcome.TRUNCATED],
    [Outcome.CANCELLED, AnswerOutcome.TRUNCATED],
  ])('of outcome %i at the gateway has outcome %i', async (outcome, expected) => {
    chat.script.generate = async function* () {
      yield { case: 'textDelta', value: { text: 'some text [1]' } };
      yield { case: 'done', value: { outcome } };
    };
    const asked = await chat.ask({ question: `outcome ${outcome}` });
    expect(asked).toMatchObject({ text: 'some text [1]', done: { outcome: expected } });
    const isPart = expected === AnswerOutcome.TRUNCATED;
    expect(asked.done?.degradations.map(({ stage }) => stage)).toEqual(isPart ? [Stage.GENERATE] : []);
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual([isPart ? 'abandon' : 'commit']);
  });

  test('is counted by tenant, route and model', async () => {
    const as = await chat.mesh.as(testPrincipal({ tenant: 'counted' }));
    for (let count = 0; count < 3; count++) await chat.ask({ question: 'counted?' }, as);
    const { registry } = chat.mesh.host.metrics;
    const counts = await registry.getSingleMetricAsString('ai_request_total');
    expect(counts).toContain('ai_request_total{tenant="counted",route="generate",model="writer"} 1');
    expect(counts).toContain('ai_request_total{tenant="counted",route="cache",model="writer"} 2');
    expect(await registry.getSingleMetricAsString('ai_request_latency_ms')).toMatch(/_count\{route="cache"\} [1-9]/);
    expect(await registry.getSingleMetricAsString('ai_first_token_ms')).toMatch(/_count\{route="cache"\} [1-9]/);
    expect(await registry.getSingleMetricAsString('ragmesh_answer_total')).toMatch(/\{outcome="answered"\} [1-9]/);
  });

  test('is never longer than it may be', async () => {
    const piece = 'x'.repeat(100_000);
    let saidCount = 0;
    chat.script.generate = async function* () {
      for (; saidCount < 100; saidCount++) yield { case: 'textDelta', value: { text: piece } };
    };
    const asked = await chat.ask({ question: 'endless' });
    expect(asked.done?.outcome).toBe(AnswerOutcome.LENGTH);
    expect(asked.text.length).toBeLessThanOrEqual(1_100_000);
    expect(saidCount).toBeLessThan(20);
  });
});

describe('the prompt of an answer', () => {
  test('is shown to an operator who asks for it, with its parts, and not from the cache', async () => {
    await chat.ask({ question: 'inspected' });
    const events = [];
    for await (const { event } of chat.client.ask(
      { question: 'inspected', inspectPrompt: true },
      await chat.mesh.as(),
    )) {
      if (event.case === 'prompt') events.push(event.value);
    }
    const [prompt] = events;
    expect(prompt?.messages.map(({ role, text }) => [role, text === 'inspected'])).toEqual([
      ['system', false],
      ['user', true],
    ]);
    expect(prompt?.passages.map(({ chunkId }) => chunkId)).toEqual(['d1#0', 'd2#0']);
    expect(prompt?.parts.map(({ name }) => name)).toEqual(['system', 'history', 'summary', 'tools', 'evidence']);
    expect(prompt?.parts.find(({ name }) => name === 'evidence')?.tokens).toBeGreaterThan(0);
    expect(prompt?.budgetTokens).toBe(6000);
  });
  test('is counted in the tokens of its model, as soon as its vocabulary is loaded', async () => {
    const measure = async () => {
      const asking = { question: 'counted', model: 'counted', inspectPrompt: true };
      for await (const { event } of chat.client.ask(asking, await chat.mesh.as())) {
        if (event.case !== 'prompt') continue;
        const { messages, parts } = event.value;
        const system = messages.find(({ role }) => role === 'system')?.text ?? '';
        return (parts.find(({ name }) => name === 'system')?.tokens ?? 0) - encode(system).length;
      }
      return undefined;
    };
    await expect.poll(measure, { timeout: 20_000, interval: 50 }).toBe(0);
  });
  test('is refused to others', async () => {
    const as = await chat.mesh.as(testPrincipal({ roles: [Role.READER] }));
    const asking = chat.ask({ question: 'not yours', inspectPrompt: true }, as);
    expect(await asking.catch((error: unknown) => errorInfoOf(error)?.reason)).toBe('ROLE_MISSING');
  });
});

describe('a refusal', () => {
  test.each([
    ['Where is the moon?', /no answer/],
    ['月亮在哪里？', /没有找到/],
  ])('says in the language of %j that nothing was found, without asking a model', async (question, expected) => {
    chat.script.retrieve = () => found([]);
    const asked = await chat.ask({ question });
    expect(asked.text).toMatch(expected);
    expect(asked.done).toMatchObject({ outcome: AnswerOutcome.REFUSED, model: '', degradations: [] });
    expect(asked.kinds).toContain('sources');
    expect(chat.seen.generated).toEqual([]);
    expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['commit']);
  });

  test('of the model without words gets some', async () => {
    chat.script.generate = async function* () {
      yield { case: 'done', value: { outcome: Outcome.NO_EVIDENCE } };
    };
    expect(await chat.ask({ question: '没有证据的问题' })).toMatchObject({ text: expect.stringMatching(/没有找到/) });
    chat.script.generate = async function* () {
      yield { case: 'done', value: { outcome: Outcome.FILTERED } };
    };
    const filtered = await chat.ask({ question: 'filtered' });
    expect(filtered).toMatchObject({ text: /filter/, done: { outcome: AnswerOutcome.FILTERED } });
  });
});

describe('an answer from the cache', () => {
  test('is replayed with its own ids, and costs no search and no model', async () => {
    const first = await chat.ask({ question: 'cached?' });
    const again = await chat.ask({ question: 'cached?' }, await chat.mesh.as(testPrincipal({ user: 'bob' })));
    expect(again).toMatchObject({ text: first.text, citations: first.citations, passages: first.passages });
    expect(again.done).toMatchObject({
      outcome: AnswerOutcome.ANSWERED,
      cacheLayer: CacheLayer.MEMORY,
      answerId: again.answerId,
      sessionId: again.sessionId,
    });
    expect(again.answerId).not.toBe(first.answerId);
    expect(again.stages).toEqual(['REWRITE SKIPPED', 'CACHE STARTED', 'CACHE FINISHED hit in memory']);
    expect([chat.seen.retrieved.length, chat.seen.generated.length, chat.seen.records.length]).toEqual([1, 1, 2]);
    expect(chat.seen.records[1]).toMatchObject({
      cacheLayer: CacheLayer.MEMORY,
      evidence: chat.seen.records[0]?.evidence,
    });
  });

  test('lives no longer than its documents are valid, and not at all if one no longer is', async () => {
    const inSeconds = (seconds: number) => timestampFromMs(Date.now() + seconds * 1000);
    const ask = async (question: string, ...ends: (number | undefined)[]) => {
      const passages = passagesOf('Returns are free for seven days.', 'Exchanges take two weeks.');
      for (const [index, seconds] of ends.entries()) {
        if (seconds !== undefined) (passages[index] as Passage).validUntil = inSeconds(seconds);
      }
      chat.script.retrieve = () => found(passages);
      await chat.ask({ question });
      return chat.seen.fills.at(-1);
    };
    expect(await ask('returns, always?')).toMatchObject({ ended: 'commit', ttlSeconds: 0 });
    const bounded = await ask('returns for an hour?', 7200, 3600);
    expect(bounded?.ended).toBe('commit');
    expect(bounded?.ttlSeconds).toBeGreaterThan(3400);
    expect(bounded?.ttlSeconds).toBeLessThanOrEqual(3600);
    expect(await ask('returns for years?', 5e9)).toMatchObject({ ttlSeconds: 31_536_000 });
    expect(await ask('returns until yesterday?', undefined, -1)).toMatchObject({ ended: 'abandon' });
  });

  test('is not read if the caller bypasses it, and the new one replaces it', async () => {
    await chat.ask({ question: 'bypassed' });
    chat.script.generate = () => says('Fresh [1].');
    expect(await chat.ask({ question: 'bypassed', bypassCache: true })).toMatchObject({ text: 'Fresh [1].' });
    expect(await chat.ask({ question: 'bypassed' })).toMatchObject({ text: 'Fresh [1].', done: { cacheLayer: 1 } });
  });

  test('is keyed by all that it depends on', async () => {
    chat.script.corpora = async () => [{ name: 'help', revision: 'r2' }];
    await chat.ask({ question: 'key', temperature: 1, topK: 5, filter: { documentIds: ['d'] }, language: Language.EN });
    const scope = chat.seen.lookups[0]?.scope;
    expect(scope).toMatchObject({
      corpora: [{ corpus: 'help', revision: 'r2' }],
      model: 'writer',
      language: Language.EN,
    });
    expect(Object.keys(scope?.parameters ?? {}).sort()).toEqual([
      'filter',
      'max_tokens',
      'route',
      'temperature',
      'top_k',
    ]);
  });

  test('is recorded as it is streamed', async () => {
    await chat.ask({ question: 'recorded' });
    const kinds = chat.seen.fills[0]?.events.map(({ event }) => event.case);
    expect(kinds).toEqual([...['sources', 'textDelta', 'citation', 'verdicts', 'usage', 'done']]);
  });
});

describe('a request', () => {
  const refused = async (request: Parameters<ChatMesh['ask']>[0]) =>
    chat.ask(request).then(
      () => undefined,
      (error: unknown) => errorInfoOf(error),
    );
  test('for an unknown corpus is refused', async () => {
    expect(await refused({ question: 'q', corpora: ['nope'] })).toMatchObject({
      reason: 'CORPUS_NOT_FOUND',
      metadata: { id: 'nope' },
    });
  });
  test('with both a session and a history is refused', async () => {
    const history = [{ question: 'a', answer: 'b' }];
    expect(await refused({ question: 'q', sessionId: 's', history })).toMatchObject({ reason: 'FIELD_INVALID' });
    expect(await refused({ question: 'q', createSession: true, history })).toMatchObject({ reason: 'FIELD_INVALID' });
  });
  test('for an unknown session is refused', async () => {
    expect(await refused({ question: 'q', sessionId: 'nope' })).toMatchObject({ reason: 'RESOURCE_NOT_FOUND' });
  });
});
