import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { A2AService, Role, type Task, TaskState } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { UsageDimension, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { sharedConfig } from '../replicas/testing/config.ts';
import { type Replicas, startReplicas } from '../replicas/testing/replicas.ts';
import { uploadMessages } from '../replicas/testing/upload-messages.ts';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';

// Tasks of one replica of the edge, cancelled at the other one. Every service has two replicas, over PostgreSQL and Redis.

const isMissing = !(hasPostgres && hasRedis);
const question = 'What is the fee of rule one?';
const eventually = { timeout: 30_000, interval: 50 };

describe.skipIf(isMissing && skipped('postgres', 2, `${postgresAdvice}; ${redisAdvice}`))(
  'a task',
  () => {
    const opened = new AsyncDisposableStack();
    let model: ScriptedModel;
    let replicas: Replicas;
    beforeAll(async () => {
      const postgres = opened.use(await startPostgres());
      const redis = opened.use(await startRedis());
      model = opened.use(await startScriptedModel());
      const settings = { base_url: model.url, model: 'scripted' };
      const config = {
        ...sharedConfig(await postgres.createDatabase(), redis.port),
        llm_gateway: { models: [{ name: 'writer', adapter: 'openai-compatible', settings }] },
      };
      replicas = opened.use(await startReplicas(config));
      const indexer = replicas.client(IndexerService, 'north', 0);
      const { jobId } = await indexer.ingestDocuments(uploadMessages('rules', 'one', 12));
      await vi.waitFor(
        async () => expect((await indexer.getJob({ jobId })).job?.state).toBe(JobState.SUCCEEDED),
        eventually,
      );
    });
    afterAll(() => opened.disposeAsync());

    const agent = (edge: number) => replicas.client(A2AService, 'north', edge);
    const chat = (edge: number) => replicas.client(ChatService, 'north', edge);
    const stateOf = async (edge: number, id: string) => (await agent(edge).getTask({ id })).status?.state;
    /** Begins a task at the first edge, whose answer has its first words and waits. */
    const begin = async (): Promise<Task> => {
      // The model stays open after its first words.
      model.answerWith('The fee of rule one is 12 yuan [1]. It applies to every parcel of the order [1]. And', {
        staysOpen: true,
      });
      const message = {
        messageId: 'm1',
        role: Role.USER,
        parts: [{ content: { case: 'text' as const, value: question } }],
      };
      const { payload } = await agent(0).sendMessage({ message, configuration: { returnImmediately: true } });
      if (payload.case !== 'task') throw new Error('no task');
      return payload.value;
    };

    test('is cancelled by another replica: everyone sees it cancelled, and its records are those of a stopped answer', async () => {
      const { id, contextId: sessionId } = await begin();
      await vi.waitFor(() => expect(model.openCount()).toBe(1), eventually);
      await vi.waitFor(async () => {
        expect((await agent(0).getTask({ id })).artifacts).not.toEqual([]);
      }, eventually);
      expect(await stateOf(1, id)).toBe(TaskState.WORKING);
      const cancelled = await agent(1).cancelTask({ id });
      expect(cancelled).toMatchObject({ id, status: { state: TaskState.CANCELED } });
      for (const edge of [0, 1]) expect(await stateOf(edge, id)).toBe(TaskState.CANCELED);
      await vi.waitFor(() => expect(model.openCount()).toBe(0), eventually);
      await expect(agent(1).cancelTask({ id })).rejects.toThrow('the task has ended');

      const { turns } = await chat(1).getSession({ sessionId });
      expect(turns).toMatchObject([{ question, stopped: true, outcome: AnswerOutcome.TRUNCATED }]);
      const [turn] = turns;
      const answerId = turn?.answerId ?? '';
      const audit = replicas.client(AuditService, 'north', 1);
      await vi.waitFor(async () => {
        const [entry] = await collect(audit.queryAudit({ answerId }));
        expect(entry?.entry?.record).toMatchObject({ outcome: AnswerOutcome.TRUNCATED, answer: turn?.answer });
      }, eventually);
      await vi.waitFor(async () => {
        const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
        const range = { fromDay: day(-1), beforeDay: day(2), dimension: UsageDimension.MODEL };
        const { rows } = await replicas.client(UsageService, 'north', 1).listUsage(range);
        expect(rows).not.toEqual([]);
      }, eventually);
    }, 120_000);

    test('fails when it is cancelled, if the replica that ran it was killed', async () => {
      const { id } = await begin();
      await vi.waitFor(() => expect(model.openCount()).toBe(1), eventually);
      await replicas.all.find(({ name }) => name === 'online-1')?.kill();
      const cancelled = await agent(1).cancelTask({ id });
      expect(cancelled).toMatchObject({ id, status: { state: TaskState.FAILED } });
      expect(await stateOf(1, id)).toBe(TaskState.FAILED);
    }, 120_000);
  },
  240_000,
);
