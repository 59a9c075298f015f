import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { ask, auditedIds, connections, questions, startLoad, unlimited } from './testing/asks.ts';
import { startTestGroup } from './testing/start-group.ts';

// Groups of real processes.

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
  // An answer that a worker has had from the owner is looked up again when the worker has its own copy of it.
  expect(sampleOf('ai_cache_lookup_total')).toBeGreaterThanOrEqual(16);
  expect(sampleOf('ai_cache_lookup_total')).toBeLessThanOrEqual(16 + 2 * questions.length);
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
  const load = startLoad(group, 8);
  for (let round = 0; round < 6; round++) {
    await sleep(2500);
    const members = group.members();
    const isOwnersTurn = round % 3 === 1;
    const victim = members.find(({ isOwner }) => isOwner === isOwnersTurn);
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
  }
  await sleep(1000);
  await group.ready();
  const { acknowledged, wrong } = await load.stop();
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

test('every suite of evaluation runs in a group', async () => {
  await using group = await startTestGroup(2, unlimited);
  const client = createClient(EvaluationService, createConnectTransport({ baseUrl: group.edgeUrl, httpVersion: '2' }));
  const options = { headers: { authorization: `Bearer ${group.keys.dev}` } };
  const text = 'How long do I have to return an item?';
  const query = {
    ...{ queryId: 'q', text, judgements: [{ documentId: 'en/returns.md', grade: 2 }] },
    ...{ answer: { facts: [{ wordings: ['days'] }] }, earlier: ['What do you sell?'] },
    act: { act: ConversationAct.QUESTION },
    claim: { source: 'Articles can be returned within 30 days.', isSupported: true },
    pair: { other: 'Until when can I return an item?', isSame: true },
    personalData: { values: ['ann@example.com'] },
  };
  const alone = { ...query, queryId: 'alone', earlier: [] };
  const personal = { ...query, queryId: 'mail', text: 'Write to ann@example.com', earlier: [] };
  await client.addQueries({ dataSet: 'all', queries: [query, alone, personal] }, options);
  const ran: SuiteKind[] = [];
  const suites = Object.values(SuiteKind).filter((kind) => typeof kind === 'number' && kind !== SuiteKind.UNSPECIFIED);
  for (const suite of suites as SuiteKind[]) {
    for await (const { event } of client.runEvaluation({ dataSet: 'all', suite }, options)) {
      if (event.case !== 'run') continue;
      expect(event.value).toMatchObject({ suite, failedCount: 0 });
      expect(event.value.queryCount).toBeGreaterThan(0);
      ran.push(suite);
    }
  }
  expect(ran).toEqual(suites);
}, 600_000);
