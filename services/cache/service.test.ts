import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CacheService, InspectOutcome, type InvalidateRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AnswerOutcome, CacheLayer, ClaimFault } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { readConfig } from './config.ts';
import { cache } from './index.ts';
import { answerEvents, type CacheClient, type Event, fillWith, lookUp, type Scope, scopeOf } from './testing/cache.ts';

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(['grpc', 'local'] as const)('over %s', (face) => {
  let mesh: TestMesh;
  let client: CacheClient;
  let options: CallOptions;
  let nowMs = Date.now();
  beforeAll(async () => {
    mesh = await startTestMesh([cache], { clock: () => nowMs, random: () => 0 });
    client = face === 'grpc' ? mesh.grpcClient(CacheService) : mesh.client(CacheService);
    options = await mesh.as();
  });
  afterAll(() => mesh.close());

  const lease = async (question: string, scope = scopeOf()) => {
    const { leaseId } = await lookUp(client, await mesh.as(), question, scope);
    if (leaseId === undefined) throw new Error(`no lease for ${question}`);
    return leaseId;
  };
  const store = async (question: string, events = answerEvents('Seven days. [1]'), scope = scopeOf()) =>
    fillWith(client, await mesh.as(), await lease(question, scope), events);

  test('an answer that was filled is replayed in few frames, without what belonged to its first caller', async () => {
    expect(await store('How long?', answerEvents('退货期为七天。[1]'))).toBe(true);
    const hit = await lookUp(client, options, 'How long?');
    expect(hit.kinds).toEqual(['hit', 'sources', 'textDelta', 'citation', 'usage', 'done']);
    expect(hit).toMatchObject({ text: '退货期为七天。[1]', layer: CacheLayer.MEMORY });
    const events = hit.messages.flatMap(({ event }) =>
      event.case === 'hit' ? event.value.events.map((answer) => answer.event) : [],
    );
    expect(events.find(({ case: kind }) => kind === 'usage')?.value).toMatchObject({
      fromCache: true,
      costMicros: 11n,
    });
    expect(events.at(-1)?.value).toMatchObject({
      outcome: AnswerOutcome.ANSWERED,
      cacheLayer: CacheLayer.MEMORY,
      model: 'm',
      answerId: '',
      sessionId: '',
      traceId: '',
    });
  });

  test('space, width, case and closing punctuation make no other question; names and order do', async () => {
    await store('Is C# supported in 7 days?');
    for (const same of ['is c# supported  in 7 days', ' ＩＳ c# supported in ７ days？！ ']) {
      expect((await lookUp(client, options, same)).kinds[0]).toBe('hit');
    }
    for (const other of ['Is C supported in 7 days?', 'in 7 days is C# supported?']) {
      expect((await lookUp(client, options, other)).kinds).toEqual(['lease']);
    }
  });

  test.each<[string, Partial<Scope>]>([
    ['revision', { corpora: [{ corpus: 'help', revision: 'r2' }] }],
    [
      'set of corpora',
      {
        corpora: [
          { corpus: 'help', revision: 'r1' },
          { corpus: 'shop', revision: 'r1' },
        ],
      },
    ],
    ['prompt', { promptVersion: 'p2' }],
    ['model', { model: 'n' }],
    ['parameter', { parameters: { temperature: '1' } }],
    ['language', { language: 1 }],
  ])('another %s needs another answer', async (name, difference) => {
    await store(`scope ${name}`);
    expect((await lookUp(client, options, `scope ${name}`, scopeOf(difference))).kinds).toEqual(['lease']);
    expect((await lookUp(client, options, `scope ${name}`)).kinds[0]).toBe('hit');
  });

  test('neighbouring parts of an identity cannot run together', async () => {
    const left = scopeOf({ corpora: [{ corpus: 'ab', revision: 'c' }], parameters: { a: 'bc' } });
    const right = scopeOf({ corpora: [{ corpus: 'a', revision: 'bc' }], parameters: { ab: 'c' } });
    await store('run together', undefined, left);
    expect((await lookUp(client, options, 'run together', right)).kinds).toEqual(['lease']);
  });

  test('the order in which corpora and groups are named makes no difference', async () => {
    const corpora = [
      { corpus: 'a', revision: '1' },
      { corpus: 'b', revision: '2' },
    ];
    const one = await mesh.as(testPrincipal({ groups: ['x', 'y'] }));
    const { leaseId = '' } = await lookUp(client, one, 'order', scopeOf({ corpora }));
    await fillWith(client, one, leaseId, answerEvents('yes [1]'));
    const other = await mesh.as(testPrincipal({ user: 'bob', groups: ['y', 'x', 'x'] }));
    expect((await lookUp(client, other, 'order', scopeOf({ corpora: corpora.toReversed() }))).kinds[0]).toBe('hit');
  });

  test('another tenant, or other groups, never get the answer', async () => {
    await store('secret');
    for (const principal of [testPrincipal({ tenant: 'other' }), testPrincipal({ groups: ['staff'] })]) {
      expect((await lookUp(client, await mesh.as(principal), 'secret')).kinds).toEqual(['lease']);
    }
  });

  const done = (init: object): Event => ({ event: { case: 'done', value: init } });
  const degradations = [{ stage: Stage.RERANK, reason: 'late', effect: 'fused order' }];
  test.each<[string, Event[]]>([
    ['cut short', answerEvents('part', { outcome: AnswerOutcome.TRUNCATED })],
    ['too long', answerEvents('part', { outcome: AnswerOutcome.LENGTH })],
    ['filtered', answerEvents('part', { outcome: AnswerOutcome.FILTERED })],
    [
      'degraded',
      [...answerEvents('all').slice(0, -1), done({ outcome: AnswerOutcome.ANSWERED, verified: true, degradations })],
    ],
    ['not verified', answerEvents('97 days [1]', { verified: false })],
    [
      'marked as not supported',
      [
        ...answerEvents('97 days [1]').slice(0, -1),
        done({
          outcome: AnswerOutcome.ANSWERED,
          verified: true,
          unsupportedClaims: [{ start: 0, end: 11, fault: ClaimFault.FACT }],
        }),
      ],
    ],
    ['empty', [done({ outcome: AnswerOutcome.ANSWERED, verified: true })]],
    [
      'void',
      [
        ...answerEvents('x').slice(0, 2),
        { event: { case: 'reset', value: {} } },
        done({ outcome: AnswerOutcome.ANSWERED, verified: true }),
      ],
    ],
    [
      'wrongly cited',
      [
        ...answerEvents('x').slice(0, 2),
        { event: { case: 'citation', value: { marker: 2 } } },
        done({ outcome: AnswerOutcome.ANSWERED, verified: true }),
      ],
    ],
  ])('an answer that is %s is not stored', async (name, events) => {
    expect(await store(`unfit ${name}`, events)).toBe(false);
    expect((await lookUp(client, options, `unfit ${name}`)).kinds).toEqual(['lease']);
  });

  test('only what follows the last reset is stored', async () => {
    const reset: Event = { event: { case: 'reset', value: { reason: 'again' } } };
    await store('reset', [...answerEvents('wrong').slice(0, 4), reset, ...answerEvents('right [1]').slice(1)]);
    expect(await lookUp(client, options, 'reset')).toMatchObject({ text: 'right [1]' });
  });

  test('a refresh gets a lease although there is an answer, and its answer replaces that one', async () => {
    await store('fresh', answerEvents('old [1]', { documentId: 'd1' }));
    const { kinds, leaseId = '' } = await lookUp(client, options, 'fresh', scopeOf(), true);
    expect(kinds).toEqual(['lease']);
    expect(await fillWith(client, options, leaseId, answerEvents('new [1]'))).toBe(true);
    expect(await lookUp(client, options, 'fresh')).toMatchObject({ text: 'new [1]' });
  });

  test('a fill that is abandoned, or just ends, stores nothing and frees the lease', async () => {
    for (const last of [{ case: 'abandon', value: { reason: 'no' } } as const, { case: undefined }]) {
      expect(await fillWith(client, options, await lease('abandoned'), answerEvents('x [1]'), last)).toBe(false);
    }
    expect((await lookUp(client, options, 'abandoned')).kinds).toEqual(['lease']);
  });

  test('a lease is good once, for the caller that got it', async () => {
    const leaseId = await lease('once');
    const others = [
      testPrincipal({ user: 'bob' }),
      testPrincipal({ tenant: 'other' }),
      testPrincipal({ groups: ['g'] }),
    ];
    for (const principal of others) {
      const error = await failure(fillWith(client, await mesh.as(principal), leaseId, answerEvents('x [1]')));
      expect(errorInfoOf(error)?.reason).toBe('LEASE_LOST');
    }
    expect(await fillWith(client, options, leaseId, answerEvents('x [1]'))).toBe(true);
    const again = await failure(fillWith(client, options, leaseId, answerEvents('y [1]')));
    expect(errorInfoOf(again)?.reason).toBe('LEASE_LOST');
  });

  test('a lease that is not filled in time is lost, and the next caller gets a new one', async () => {
    const leaseId = await lease('late');
    nowMs += 10_000;
    const next = await lookUp(client, await mesh.as(), 'late');
    expect(next.kinds).toEqual(['lease']);
    expect(errorInfoOf(await failure(fillWith(client, await mesh.as(), leaseId, answerEvents('x [1]'))))?.reason).toBe(
      'LEASE_LOST',
    );
    expect(await fillWith(client, await mesh.as(), next.leaseId ?? '', answerEvents('y [1]'))).toBe(true);
  });

  test.each<[string, Parameters<typeof fillWith>[4], Event[]]>([
    ['commit before done', undefined, answerEvents('x').slice(0, -1)],
    ['an event after done', undefined, [...answerEvents('x'), ...answerEvents('y')]],
    ['a second start', { case: 'start', value: { leaseId: 'x' } }, []],
  ])('%s is refused', async (name, last, events) => {
    const error = await failure(fillWith(client, options, await lease(`misuse ${name}`), events, last));
    expect(errorInfoOf(error)?.reason).toBe('FIELD_INVALID');
  });

  test('an answer is kept for its time, a refusal for a shorter one', async () => {
    options = await mesh.as();
    await store('short', answerEvents('no', { outcome: AnswerOutcome.REFUSED }));
    await store('long');
    nowMs += 301_000;
    options = await mesh.as();
    expect((await lookUp(client, options, 'short')).kinds).toEqual(['lease']);
    expect((await lookUp(client, options, 'long')).kinds[0]).toBe('hit');
    nowMs += 86_400_000;
    options = await mesh.as();
    expect((await lookUp(client, options, 'long')).kinds).toEqual(['lease']);
  });

  test('a stale answer is served to all but the one caller that generates it again', async () => {
    options = await mesh.as();
    await store('aged', answerEvents('old [1]'));
    nowMs += 86_400_000;
    options = await mesh.as();
    const leader = await lookUp(client, options, 'aged');
    expect(leader.kinds).toEqual(['lease']);
    for (let count = 0; count < 3; count++) {
      const hit = await lookUp(client, options, 'aged');
      expect(hit).toMatchObject({ text: 'old [1]', layer: CacheLayer.MEMORY });
      expect(hit.messages[0]?.event).toMatchObject({ case: 'hit', value: { stale: true } });
    }
    expect((await client.getStats({}, options)).staleHitCount).toBeGreaterThanOrEqual(3n);
    await fillWith(client, options, leader.leaseId ?? '', answerEvents('new [1]'));
    const fresh = await lookUp(client, options, 'aged');
    expect(fresh.text).toBe('new [1]');
    expect(fresh.messages[0]?.event).toMatchObject({ case: 'hit', value: { stale: false } });
    // Without a look-up in that time, it is gone.
    nowMs += 86_400_000 + 600_000;
    options = await mesh.as();
    expect((await lookUp(client, options, 'aged')).kinds).toEqual(['lease']);
  });

  test('an inspection reports what a look-up would get, other answers, and how their identity differs', async () => {
    options = await mesh.as();
    const inspect = async (question: string, scope: Scope | undefined, as = options) =>
      client.inspect({ question, ...(scope && { scope }) }, as);
    await store('why?', answerEvents('x [1]', { documentId: 'd4' }));
    const hit = await inspect('Why', scopeOf());
    expect(hit).toMatchObject({
      outcome: InspectOutcome.HIT,
      entry: { layer: CacheLayer.MEMORY, documentIds: ['d4'], scope: { model: 'm', promptVersion: 'p1' } },
      others: [],
    });
    expect(hit.entry?.staleAt?.seconds).toBeGreaterThan(hit.entry?.storedAt?.seconds ?? 0n);
    const other = scopeOf({ corpora: [{ corpus: 'help', revision: 'r2' }], model: 'n' });
    expect(await inspect('why', other)).toMatchObject({
      outcome: InspectOutcome.MISS,
      others: [{ differences: ['corpora', 'model'] }],
    });
    const staff = await mesh.as(testPrincipal({ groups: ['staff'] }));
    expect(await inspect('why', scopeOf(), staff)).toMatchObject({ others: [{ differences: ['access'] }] });
    const foreign = await mesh.as(testPrincipal({ tenant: 'other' }));
    expect(await inspect('why', scopeOf(), foreign)).toMatchObject({ outcome: InspectOutcome.MISS, others: [] });
    expect(await inspect('why', undefined)).toMatchObject({
      outcome: InspectOutcome.UNSPECIFIED,
      others: [{ differences: [] }],
    });
    await lookUp(client, options, 'under way');
    expect((await inspect('under way', scopeOf())).outcome).toBe(InspectOutcome.FOLLOW);
    // It has begun nothing.
    expect((await lookUp(client, options, 'why', other)).kinds).toEqual(['lease']);
    const reader = await mesh.as(testPrincipal({ roles: [Role.READER] }));
    expect(errorInfoOf(await failure(client.inspect({ question: 'why' }, reader)))?.reason).toBe('ROLE_MISSING');
  });

  test.each<[string, InvalidateRequest['target'], boolean]>([
    ['its prompt version', { case: 'promptVersion', value: 'p1' }, true],
    ['another prompt version', { case: 'promptVersion', value: 'p2' }, false],
    [
      'its corpus at its revision',
      { case: 'corpusRevision', value: { corpus: 'help', revision: 'r1' } as never },
      true,
    ],
    [
      'its corpus at another one',
      { case: 'corpusRevision', value: { corpus: 'help', revision: 'r0' } as never },
      false,
    ],
    ['its model', { case: 'model', value: 'm' }, true],
    ['another model', { case: 'model', value: 'n' }, false],
    ['the corpus of its passages', { case: 'corpus', value: 'shelf' }, true],
  ])('an invalidation by %s', async (name, target, isGone) => {
    options = await mesh.as();
    await store(`by ${name}`, answerEvents('x [1]', { corpus: 'shelf' }));
    await client.invalidate({ target }, options);
    expect((await lookUp(client, options, `by ${name}`)).kinds[0]).toBe(isGone ? 'lease' : 'hit');
  });

  test('an invalidation reaches what it names, in the tenant alone, also running generations', async () => {
    options = await mesh.as();
    const other = await mesh.as(testPrincipal({ tenant: 'other' }));
    await store('about d7', answerEvents('x [1]', { documentId: 'd7' }));
    await store('about d8', answerEvents('x [1]', { documentId: 'd8' }));
    const { leaseId: foreign = '' } = await lookUp(client, other, 'about d7');
    await fillWith(client, other, foreign, answerEvents('x [1]', { documentId: 'd7' }));
    const underWay = await lease('under way');
    const { entryCount } = await client.invalidate({ target: { case: 'documentId', value: 'd7' } }, options);
    expect(entryCount).toBe(1n);
    expect((await lookUp(client, options, 'about d7')).kinds).toEqual(['lease']);
    expect((await lookUp(client, options, 'about d8')).kinds[0]).toBe('hit');
    expect((await lookUp(client, other, 'about d7')).kinds[0]).toBe('hit');
    expect(await fillWith(client, options, underWay, answerEvents('x [1]', { documentId: 'd7' }))).toBe(false);
  });

  test('statistics are those of the tenant', async () => {
    const ours = await mesh.as(testPrincipal({ tenant: 'counted' }));
    const { leaseId = '' } = await lookUp(client, ours, 'a');
    await fillWith(client, ours, leaseId, answerEvents('x [1]'));
    await lookUp(client, ours, 'a');
    await lookUp(client, ours, 'a');
    const stats = await client.getStats({}, ours);
    expect(stats).toMatchObject({
      lookupCount: 3n,
      missCount: 1n,
      savedPromptTokens: 200n,
      savedCompletionTokens: 14n,
      savedCostMicros: 22n,
      currency: 'USD',
      refusalHitCount: 0n,
      corruptCount: 0n,
      layers: [
        { layer: CacheLayer.MEMORY, hitCount: 2n, entryCount: 1n, evictionCount: 0n },
        { layer: CacheLayer.DURABLE, hitCount: 0n, entryCount: 1n, evictionCount: 0n },
      ],
    });
    const nobody = await client.getStats({}, await mesh.as(testPrincipal({ tenant: 'nobody' })));
    expect(nobody).toMatchObject({ lookupCount: 0n, layers: [{ entryCount: 0n }, { entryCount: 0n }] });
  });

  test('a reader cannot invalidate', async () => {
    const reader = await mesh.as(testPrincipal({ roles: [Role.READER] }));
    const error = await failure(client.invalidate({ target: { case: 'all', value: true } }, reader));
    expect(errorInfoOf(error)?.reason).toBe('ROLE_MISSING');
    const unsaid = await failure(client.invalidate({ target: { case: 'all', value: false } }, await mesh.as()));
    expect(errorInfoOf(unsaid)?.reason).toBe('FIELD_INVALID');
  });
});

/** The cache on a machine that may be busy: a durable store that takes its time is no miss. */
const patient = defineService({ ...cache, config: (config) => ({ ...readConfig(config), durableTimeoutMs: 20_000 }) });

test('answers outlive the process, and come from the durable layer first, then from memory', async () => {
  const first = await startTestMesh([patient]);
  const client = first.client(CacheService);
  const { leaseId = '' } = await lookUp(client, await first.as(), 'kept');
  await fillWith(client, await first.as(), leaseId, answerEvents('kept [1]', { documentId: 'd9' }));
  await first.close(true);

  await using second = await startTestMesh([patient], { dataDir: first.dataDir });
  const again = second.client(CacheService);
  expect(await lookUp(again, await second.as(), 'kept')).toMatchObject({ layer: CacheLayer.DURABLE, text: 'kept [1]' });
  expect(await lookUp(again, await second.as(), 'kept')).toMatchObject({ layer: CacheLayer.MEMORY, text: 'kept [1]' });
  await again.invalidate({ target: { case: 'documentId', value: 'd9' } }, await second.as());
  expect((await lookUp(again, await second.as(), 'kept')).kinds).toEqual(['lease']);
});

test('switched off, it issues leases and stores nothing', async () => {
  await using mesh = await startTestMesh([cache], { config: { cache: { enabled: false } } });
  const client = mesh.client(CacheService);
  for (let round = 0; round < 2; round++) {
    const { kinds, leaseId = '' } = await lookUp(client, await mesh.as(), 'off');
    expect(kinds).toEqual(['lease']);
    expect(await fillWith(client, await mesh.as(), leaseId, answerEvents('x [1]'))).toBe(false);
  }
});
