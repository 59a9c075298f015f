import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { services } from '../../run.ts';
import { loadSample } from '../../start/sample.ts';
import { type Answer, askWhole, patient } from '../testing/whole-mesh.ts';

// Two replicas of the services with records, each in a mesh of its own behind gRPC, over one PostgreSQL. Search is a third process with
// the embedded defaults, which both call.

const recordServices = ['audit', 'cache', 'chat', 'evaluation', 'llm-gateway'];
/** What no answer needs. */
const unneeded = ['edge', 'accounts', 'privacy'];
const chosen = (isRecords: boolean) =>
  services.filter(({ name }) => !unneeded.includes(name) && recordServices.includes(name) === isRecords);
const principal = testPrincipal({ tenant: 'demo', user: 'ann', groups: ['staff'] });

describe.skipIf(!hasPostgres && skipped('postgres', 3, postgresAdvice))('two replicas of services with records', () => {
  let server: TestPostgres;
  let search: TestMesh;
  let replicas: TestMesh[];
  let startReplica: () => Promise<TestMesh>;

  beforeAll(async () => {
    server = await startPostgres({ isDurable: true });
    const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const shared = { identity: { privateKey }, ...patient };
    const own = { addresses: { audit: '127.0.0.1:1', cache: '127.0.0.1:1' } };
    search = await startTestMesh(chosen(false), { config: { ...shared, ...own }, known: services });
    const sample = await loadSample(search.host);
    expect(sample?.problem).toBeUndefined();
    const address = `127.0.0.1:${search.host.grpcPort}`;
    const storage = { database: await server.createDatabase() };
    const addresses = { retrieval: address, embedding: address };
    startReplica = () =>
      startTestMesh(chosen(true), { config: { ...shared, storage, addresses } as never, known: services });
    replicas = await Promise.all([startReplica(), startReplica()]);
  });
  afterAll(async () => {
    for (const mesh of [...(replicas ?? []), search]) await mesh?.close();
    await server[Symbol.asyncDispose]();
  });

  const replicaAt = (turn: number) => replicas[turn % replicas.length] as TestMesh;
  const ask = async (turn: number, question: string, sessionId = ''): Promise<Answer> => {
    const mesh = replicaAt(turn);
    const request = { question, sessionId, createSession: sessionId === '' };
    return askWhole(mesh.grpcClient(ChatService), request, await mesh.as(principal));
  };
  const sessionOf = ({ events }: Answer) =>
    events.flatMap(({ event }) => (event.case === 'started' ? [event.value.sessionId] : [])).join();
  const verify = async () => {
    const checks = replicas.map(async (mesh) =>
      mesh.grpcClient(AuditService).verifyChain({}, await mesh.as(principal)),
    );
    const [check, ...others] = await Promise.all(checks);
    for (const other of others) expect(other).toEqual(check);
    expect(check?.intact).toBe(true);
    return Number(check?.entryCount);
  };

  test('answer one session in turn, with sources, in one audit chain', async () => {
    const questions = ['退货要几天到账？', '那换货呢？', 'How long does a refund take?', 'And an exchange?'];
    let sessionId = '';
    for (const [turn, question] of questions.entries()) {
      const answer = await ask(turn, question, sessionId);
      sessionId ||= sessionOf(answer);
      expect(answer.done.degradations).toEqual([]);
      expect(answer.sources).not.toEqual([]);
    }
    for (const mesh of replicas) {
      const session = await mesh.grpcClient(ChatService).getSession({ sessionId }, await mesh.as(principal));
      expect(session.turns.map(({ question }) => question)).toEqual(questions);
    }
    expect(await verify()).toBe(questions.length);
    const mesh = replicaAt(1);
    const entries = await collect(mesh.grpcClient(AuditService).queryAudit({}, await mesh.as(principal)));
    expect(entries.map(({ entry }) => entry?.record?.question).reverse()).toEqual(questions);
  });

  test('lose no turn and no entry while one of them is replaced', async () => {
    const before = await verify();
    const first = await ask(0, 'What is the return policy?');
    const sessionId = sessionOf(first);
    await replicas[0]?.close();
    replicas = replicas.slice(1);
    const { done } = await ask(0, 'And for gift cards?', sessionId);
    expect(done.degradations).toEqual([]);
    replicas.push(await startReplica());
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, turn) => ask(turn, `What about order number ${turn}?`, sessionId)),
    );
    for (const answer of answers) expect(answer.done.degradations).toEqual([]);
    for (const mesh of replicas) {
      const session = await mesh.grpcClient(ChatService).getSession({ sessionId }, await mesh.as(principal));
      expect(session.turns).toHaveLength(14);
    }
    expect(await verify()).toBe(before + 14);
  });

  test('share data sets and runs of evaluations', async () => {
    const clientOf = async (mesh: TestMesh) => ({
      client: mesh.grpcClient(EvaluationService),
      options: await mesh.as(principal),
    });
    const [a, b] = [await clientOf(replicaAt(0)), await clientOf(replicaAt(1))];
    async function* upload() {
      yield {
        dataSet: 'set',
        queries: [{ queryId: '1', text: '退货', judgements: [{ documentId: 'any', grade: 1 }] }],
      };
    }
    await a.client.putDataSet(upload(), a.options);
    const events = await collect(b.client.runEvaluation({ dataSet: 'set' }, b.options));
    expect(events.at(-1)?.event.case).toBe('run');
    expect((await a.client.listRuns({}, a.options)).runs).toHaveLength(1);
  });
});
