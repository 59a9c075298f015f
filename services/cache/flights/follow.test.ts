import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CacheService, type LookupResponse } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AnswerOutcome, CacheLayer, ClaimFault } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createChannel } from '#kit/base/streams.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { readConfig } from '../config.ts';
import { cache } from '../index.ts';
import {
  answerEvents,
  type CacheClient,
  type Event,
  fillWith,
  type Looked,
  lookUp,
  scopeOf,
  toLooked,
} from '../testing/cache.ts';

let mesh: TestMesh;
let client: CacheClient;
let options: CallOptions;
beforeAll(async () => {
  mesh = await startTestMesh([cache]);
  client = mesh.client(CacheService);
  options = await mesh.as();
});
afterAll(() => mesh.close());

/** Leads a generation step by step. */
async function lead(question: string) {
  const { leaseId = '' } = await lookUp(client, options, question);
  const parts = createChannel<object>(100);
  const controller = new AbortController();
  const filling = client.fill(parts as never, { ...options, signal: controller.signal });
  filling.catch(() => {});
  await parts.send({ part: { case: 'start', value: { leaseId } } });
  return {
    say: (...events: Event[]) =>
      Promise.all(events.map((event) => parts.send({ part: { case: 'answer', value: event } }))),
    end: async (kind: 'commit' | 'abandon') => {
      await parts.send({ part: { case: kind, value: {} } });
      parts.close();
      return (await filling).stored;
    },
    leave: () => {
      controller.abort();
      parts.close();
    },
  };
}

/** Follows step by step. */
function follower(question: string, as = options) {
  const iterator = client.lookup({ question, scope: scopeOf() }, as)[Symbol.asyncIterator]();
  const messages: LookupResponse[] = [];
  const next = async () => {
    const result = await iterator.next();
    if (result.done !== true) messages.push(result.value);
    return result.done === true ? undefined : result.value.event;
  };
  return {
    next,
    async rest() {
      while ((await next()) !== undefined);
      return toLooked(messages);
    },
  };
}

test('a second caller follows the generation live from its first event', async () => {
  const leader = await lead('live');
  const events = answerEvents('abc [1]');
  await leader.say(...events.slice(0, 2));
  const behind = follower('live');
  expect((await behind.next())?.case).toBe('follow');
  expect(await behind.next()).toMatchObject({ case: 'answer', value: { event: { case: 'sources' } } });
  expect(await behind.next()).toMatchObject({ value: { event: { value: { text: 'a' } } } });
  const waiting = behind.next();
  await leader.say(...events.slice(2));
  expect(await waiting).toMatchObject({ value: { event: { value: { text: expect.stringMatching(/^b/) } } } });
  expect(await leader.end('commit')).toBe(true);
  const looked = await behind.rest();
  expect(looked.text).toBe('abc [1]');
  const last = looked.messages.at(-1)?.event;
  expect(last).toMatchObject({
    case: 'answer',
    value: { event: { case: 'done', value: { answerId: '', sessionId: '', cacheLayer: CacheLayer.MEMORY } } },
  });
  expect(looked.messages.some(({ event }) => event.case === 'answer' && event.value.event.case === 'usage')).toBe(true);
});

test('a follower gets the verdict on the claims, and nothing is stored', async () => {
  const leader = await lead('unsupported');
  const behind = follower('unsupported');
  expect((await behind.next())?.case).toBe('follow');
  const claim = { start: 0, end: 11, fault: ClaimFault.FACT, markers: [1] };
  const done: Event = {
    event: { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, unsupportedClaims: [claim] } },
  };
  await leader.say(...answerEvents('97 days [1]').slice(0, -1), done);
  expect(await leader.end('commit')).toBe(false);
  expect((await behind.rest()).messages.at(-1)?.event).toMatchObject({
    value: { event: { case: 'done', value: { verified: false, unsupportedClaims: [claim] } } },
  });
  expect((await lookUp(client, options, 'unsupported')).kinds).toEqual(['lease']);
});

test('a caller with other access does not follow', async () => {
  const leader = await lead('apart');
  for (const principal of [testPrincipal({ tenant: 'other' }), testPrincipal({ groups: ['staff'] })]) {
    expect((await lookUp(client, await mesh.as(principal), 'apart')).kinds).toEqual(['lease']);
  }
  await leader.end('abandon');
});

describe.each(['abandon', 'leave'] as const)('a leader that ends with %s', (how) => {
  /** Two followers that have been shown "ab" when their leader ends: the one that leads now, and the other one. */
  async function breakOff(question: string) {
    const leader = await lead(question);
    await leader.say(...answerEvents('abc').slice(0, 3));
    const followers = [follower(question), follower(question)] as const;
    const texts = followers.map(async (behind) => {
      for (let text = ''; text !== 'ab'; ) {
        const event = await behind.next();
        if (event?.case === 'answer' && event.value.event.case === 'textDelta') text += event.value.event.value.text;
      }
    });
    await Promise.all(texts);
    const rests = followers.map((behind) => behind.rest());
    if (how === 'leave') leader.leave();
    else await leader.end('abandon');
    const [next, other] = await Promise.race([
      (rests[0] as Promise<Looked>).then((looked) => [looked, rests[1]] as const),
      (rests[1] as Promise<Looked>).then((looked) => [looked, rests[0]] as const),
    ]);
    return { leaseId: next.leaseId ?? '', next, other: other as Promise<Looked> };
  }

  test('is followed by one of its followers, and the others get the rest of the same text, and nothing twice', async () => {
    const { leaseId, next, other } = await breakOff(`go on ${how}`);
    expect(next.kinds.at(-1)).toBe('lease');
    expect(next.kinds).not.toContain('reset');
    expect(await fillWith(client, options, leaseId, answerEvents('abcd [1]'))).toBe(true);
    const looked = await other;
    expect(looked.text).toBe('abcd [1]');
    expect(looked.kinds).not.toContain('reset');
    expect(looked.kinds.filter((kind) => kind === 'sources' || kind === 'follow')).toEqual(['follow', 'sources']);
    expect(looked.kinds.slice(-3)).toEqual(['citation', 'usage', 'done']);
  });

  test('invalidates what its followers were shown if the next text differs', async () => {
    const { leaseId, other } = await breakOff(`differ ${how}`);
    await fillWith(client, options, leaseId, answerEvents('axe [1]'));
    const looked = await other;
    expect(looked.text).toBe('axe [1]');
    expect(looked.kinds.filter((kind) => kind === 'reset')).toHaveLength(1);
  });

  test('may be followed by one that ends so too', async () => {
    const { leaseId, other } = await breakOff(`again ${how}`);
    expect(await fillWith(client, options, leaseId, answerEvents('a').slice(0, 2), { case: undefined })).toBe(false);
    const last = await other;
    expect(last.kinds.at(-1)).toBe('lease');
    expect(last.text).toBe('ab');
  });
});

test('a follower of a leader that never begins gets a lease when the first one has expired, and no reset', async () => {
  const shortLease = defineService({ ...cache, config: (config) => ({ ...readConfig(config), leaseTtlMs: 200 }) });
  await using other = await startTestMesh([shortLease]);
  const silent = async () => lookUp(other.client(CacheService), await other.as(), 'silent');
  expect((await silent()).kinds).toEqual(['lease']);
  expect((await silent()).kinds.at(-1)).toBe('lease');
});

test('followers get an answer that is not fit to be stored', async () => {
  const leader = await lead('too long');
  const behind = follower('too long');
  await behind.next();
  await leader.say(...answerEvents('part', { outcome: AnswerOutcome.LENGTH }));
  expect(await leader.end('commit')).toBe(false);
  expect((await behind.rest()).kinds.at(-1)).toBe('done');
  expect((await lookUp(client, options, 'too long')).kinds).toEqual(['lease']);
});

test('a caller that cancels its look-up at its lease releases it immediately', async () => {
  const controller = new AbortController();
  const cancelled = { ...options, signal: controller.signal };
  for await (const { event } of client.lookup({ question: 'given back', scope: scopeOf() }, cancelled)) {
    expect(event.case).toBe('lease');
    controller.abort();
    break;
  }
  expect((await lookUp(client, options, 'given back')).kinds).toEqual(['lease']);
});

test('a caller that leaves at its lease returns it, and one that reads to the end keeps it', async () => {
  let leaseId = '';
  for await (const { event } of client.lookup({ question: 'kept', scope: scopeOf() }, options)) {
    if (event.case === 'lease') leaseId = event.value.leaseId;
    break;
  }
  expect((await lookUp(client, options, 'kept')).kinds).toEqual(['lease']);
  for await (const { event } of client.lookup({ question: 'read', scope: scopeOf() }, options)) {
    if (event.case === 'lease') leaseId = event.value.leaseId;
  }
  expect(await fillWith(client, options, leaseId, answerEvents('read [1]'))).toBe(true);
});

test('a follower that leaves disturbs no other', async () => {
  const leader = await lead('leaving');
  const controller = new AbortController();
  const behind = follower('leaving', await mesh.as(undefined, { signal: controller.signal }));
  await behind.next();
  const waiting = behind.next();
  controller.abort();
  await expect(waiting).rejects.toThrow();
  await leader.say(...answerEvents('x [1]'));
  expect(await leader.end('commit')).toBe(true);
});

test('a generation that an invalidation concerns has no new followers', async () => {
  const leader = await lead('met');
  await client.invalidate({ target: { case: 'all', value: true } }, options);
  expect((await lookUp(client, options, 'met')).kinds).toEqual(['lease']);
  await leader.say(...answerEvents('stale [1]'));
  expect(await leader.end('commit')).toBe(false);
});
