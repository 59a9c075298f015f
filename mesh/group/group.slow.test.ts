import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { startTestGroup, type TestGroup } from './testing/start-group.ts';

// Groups of real processes.

const unlimited = `edge: { port: EDGE_PORT, tenant_requests_per_second: 1000000, tenant_burst: 1000000,
  user_requests_per_second: 1000000, user_burst: 1000000, user_max_concurrent: 10000 }`;

const questions = [
  'How long do I have to return an item?',
  'Are fabric swatches free?',
  'Can I change my delivery address?',
  'How do I get an invoice?',
];

/** Clients with a connection each. */
function connections(group: TestGroup, count: number): Client<typeof ChatService>[] {
  return Array.from({ length: count }, () =>
    createClient(ChatService, createConnectTransport({ baseUrl: group.edgeUrl, httpVersion: '2' })),
  );
}

interface Answered {
  answerId: string;
  isWhole: boolean;
  isRecorded: boolean;
}

async function ask(client: Client<typeof ChatService>, key: string, question: string): Promise<Answered> {
  let answered: Answered = { answerId: '', isWhole: false, isRecorded: false };
  for await (const { event } of client.ask(
    { question },
    { headers: { authorization: `Bearer ${key}` }, timeoutMs: 60_000 },
  )) {
    if (event.case !== 'done') continue;
    const { answerId, outcome, degradations } = event.value;
    answered = {
      answerId,
      isWhole: outcome !== AnswerOutcome.UNSPECIFIED,
      isRecorded: degradations.every(({ stage }) => stage !== Stage.AUDIT),
    };
  }
  return answered;
}

async function auditedIds(group: TestGroup): Promise<string[]> {
  const audit = createClient(AuditService, createConnectTransport({ baseUrl: group.edgeUrl, httpVersion: '2' }));
  const headers = { authorization: `Bearer ${group.keys.dev}` };
  const ids: string[] = [];
  let before = 0n;
  do {
    let last = 0n;
    for await (const { entry } of audit.queryAudit({ limit: 10_000, beforeSequence: before }, { headers })) {
      ids.push(entry?.record?.answerId ?? '');
      last = entry?.sequence ?? 0n;
    }
    before = last;
  } while (before > 1n);
  const { intact } = await audit.verifyChain({}, { headers });
  expect(intact).toBe(true);
  return ids;
}

test('a group serves, greets once, and speaks for all of its processes on one admin port', async () => {
  await using group = await startTestGroup(2, unlimited);
  await group.ready();
  const clients = connections(group, 4);
  for (const client of clients) {
    for (const question of questions)
      expect(await ask(client, group.keys.dev, question)).toMatchObject({ isWhole: true });
  }
  const metrics = await (await fetch(`${group.adminUrl}/metrics`)).text();
  const sampleOf = (line: string) => Number(new RegExp(`^${line} (\\S+)$`, 'm').exec(metrics)?.[1]);
  expect(sampleOf('ragmesh_group_members\\{role="worker"\\}')).toBe(2);
  expect(sampleOf('ai_cache_lookup_total')).toBe(16);
  expect(sampleOf('ai_cache_hit_total\\{layer="memory"\\}')).toBeGreaterThan(0);
  expect(group.output().match(/ragmesh is up/g)).toHaveLength(1);
  expect(group.output()).toMatch(/"worker":1,"event":"serving"/);
  expect(group.output()).toMatch(/"worker":2,"event":"serving"/);
  expect(await group.stop()).toBe(0);
  expect(group.output()).not.toMatch(/"level":[56]0/);
}, 600_000);

test('5,000 answers leave over a few connections', async () => {
  await using group = await startTestGroup(2, unlimited);
  const clients = connections(group, 4);
  let left = 5000;
  const failures: unknown[] = [];
  const worker = async (client: Client<typeof ChatService>) => {
    while (left-- > 0) {
      const question = questions[left % questions.length] as string;
      const answered = await ask(client, group.keys.dev, question).catch((error: unknown) => failures.push(error));
      if (typeof answered === 'object' && !(answered.isWhole && answered.isRecorded)) failures.push(answered);
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: 8 }, () => worker(client))));
  expect(failures).toEqual([]);
}, 600_000);

test('limits count all workers together', async () => {
  const limits = 'edge: { port: EDGE_PORT, user_requests_per_second: 1, user_burst: 20 }';
  await using group = await startTestGroup(2, limits);
  const clients = connections(group, 8);
  const startedAt = performance.now();
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      ask(clients[index % clients.length] as Client<typeof ChatService>, group.keys.customer, questions[0] as string),
    ),
  );
  const servedCount = results.filter(({ status }) => status === 'fulfilled').length;
  expect(servedCount).toBeLessThanOrEqual(20 + Math.ceil((performance.now() - startedAt) / 1000));
  expect(servedCount).toBeGreaterThan(0);
}, 600_000);

test('kill -9 of workers and of the owner: nothing acknowledged is lost, and the group recovers', async () => {
  await using group = await startTestGroup(2, unlimited);
  const acknowledged: string[] = [];
  const wrong: unknown[] = [];
  let isOver = false;
  const load = async (number: number) => {
    for (let count = 0; !isOver; count++) {
      // A connection for each question, so that all workers get some.
      const [client] = connections(group, 1);
      const question = count % 3 === 0 ? `${questions[0]} Order ${number}-${count}` : (questions[count % 4] as string);
      try {
        const answered = await ask(client as Client<typeof ChatService>, group.keys.dev, question);
        if (answered.isRecorded) acknowledged.push(answered.answerId);
      } catch (error) {
        // What a dead process had in flight, and what came before its successor, may be tried again.
        const { code } = ConnectError.from(error);
        // A connection that is lost is CANCELED, INTERNAL or UNKNOWN to a client of Connect.
        const isRetryable = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Unknown, Code.Internal].includes(code);
        if (!isRetryable || isBug(error)) wrong.push(`${error}`);
        await sleep(50);
      }
    }
  };
  const running = Array.from({ length: 8 }, (_, number) => load(number));
  for (let round = 0; round < 6; round++) {
    await sleep(2500);
    const members = group.members();
    const isOwnersTurn = round % 3 === 1;
    const victim = members.find(({ isOwner }) => isOwner === isOwnersTurn);
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
  }
  await sleep(1000);
  await group.ready();
  isOver = true;
  await Promise.all(running);
  const [client] = connections(group, 1);
  expect(await ask(client as Client<typeof ChatService>, group.keys.dev, questions[0] as string)).toMatchObject({
    isWhole: true,
    isRecorded: true,
  });
  const audited = new Set(await auditedIds(group));
  expect(wrong).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(acknowledged.filter((id) => !audited.has(id))).toEqual([]);
}, 600_000);

/** Whether the server says that the failure is its own bug. */
function isBug(error: unknown): boolean {
  return error instanceof ConnectError && error.rawMessage === 'internal error';
}

test('SIGTERM under 50 streams breaks none', async () => {
  await using group = await startTestGroup(2, `${unlimited}\ncache: { enabled: false }`);
  const clients = connections(group, 10);
  for (const client of clients) await ask(client, group.keys.dev, questions[0] as string);
  const streams = Array.from({ length: 50 }, async (_, index) => {
    const client = clients[index % clients.length] as Client<typeof ChatService>;
    const events: (string | undefined)[] = [];
    const options = { headers: { authorization: `Bearer ${group.keys.dev}` } };
    for await (const { event } of client.ask({ question: `${questions[index % 4]} (${index})` }, options)) {
      events.push(event.case);
      if (events.length === 1) begun++;
    }
    return events.at(-1);
  });
  let begun = 0;
  while (begun < 50) await sleep(1);
  const stopped = group.stop();
  expect(await Promise.all(streams)).toEqual(Array(50).fill('done'));
  expect(await stopped).toBe(0);
}, 600_000);
