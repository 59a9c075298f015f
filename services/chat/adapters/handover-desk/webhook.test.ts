import { createHmac } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { HandoverReason, HandoverSchema, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { adapter } from './webhook.ts';

const handover = create(HandoverSchema, {
  state: HandoverState.WAITING,
  reason: HandoverReason.REQUESTED,
  summary: 'Q: 转人工',
});
const request = { tenant: 't', user: 'u', sessionId: 's', answerId: 'a', handover };

async function report(statuses: (number | 'away')[]) {
  const seen: { body: string; signature: string }[] = [];
  const fetch = async (_url: string | URL | Request, init?: RequestInit) => {
    seen.push({ body: String(init?.body), signature: new Headers(init?.headers).get('x-ragmesh-signature') ?? '' });
    const status = statuses[seen.length - 1] ?? 200;
    if (status === 'away') throw new TypeError('fetch failed');
    return new Response(null, { status });
  };
  const settings = { url: 'https://desk.example/hook', secret: 'k', timeout_ms: 20_000, attempts: 3, backoff_ms: 1 };
  const desk = await adapter.create(settings, {
    clock: () => 1_700_000_000_500,
    fetch: fetch as typeof globalThis.fetch,
  });
  const outcome = await desk.report(request, new AbortController().signal).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  return { outcome, seen };
}

test('a report is signed over its time and body, and names the answer', async () => {
  const { outcome, seen } = await report([204]);
  expect(outcome).toBe('accepted');
  const { body = '', signature = '' } = seen[0] ?? {};
  const expected = createHmac('sha256', 'k').update(`1700000000.${body}`).digest('hex');
  expect(signature).toBe(`t=1700000000,v1=${expected}`);
  expect(JSON.parse(body)).toMatchObject({
    ...{ tenant: 't', user: 'u', session_id: 's', answer_id: 'a' },
    handover: { state: 'HANDOVER_STATE_WAITING', summary: 'Q: 转人工' },
  });
});

test('a desk that is away or overloaded is asked again, with the same body', async () => {
  const { outcome, seen } = await report(['away', 503, 200]);
  expect(outcome).toBe('accepted');
  expect(new Set(seen.map(({ body }) => body)).size).toBe(1);
  expect(seen).toHaveLength(3);
});

test('attempts are bounded, and a refusal is final', async () => {
  expect((await report([500, 500, 500, 200])).seen).toHaveLength(3);
  const refused = await report([401, 200]);
  expect(refused.seen).toHaveLength(1);
  expect(refused.outcome).toContain('401');
});
