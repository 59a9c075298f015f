import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJsonString } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { createEmbeddingStandIn } from '../testing/embedding-stand-in.ts';
import { createIndexStandIn } from '../testing/index-stand-in.ts';
import { jsonl, partsOf } from '../testing/indexer-mesh.ts';
import { type IndexerProcess, startIndexerProcess } from '../testing/indexer-process.ts';

// Two indexer processes over one PostgreSQL, each with a folder of its own. Uploads are in the database.

const documentsOfUpload = 200;
const corpora = ['a', 'b', 'c'];
const patient = { timeout: 120_000, interval: 100 };

describe.skipIf(!hasPostgres && skipped('postgres', 4, postgresAdvice))('two replicas on PostgreSQL', () => {
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const index = createIndexStandIn();
  const embedding = createEmbeddingStandIn();
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-replicas-'));
  const replicas: IndexerProcess[] = [];
  let server: TestPostgres;
  let dependencies: TestMesh;
  let options: CallOptions;

  const configOf = (replica: number) => join(folder, `${replica}.json`);
  const start = async (replica: number) => {
    const started = startIndexerProcess(configOf(replica));
    replicas[replica] = started;
    return started.client();
  };

  beforeAll(async () => {
    server = await startPostgres({ isDurable: true });
    const database = await server.createDatabase();
    dependencies = await startTestMesh([index.definition, embedding.definition], {
      config: { identity: { privateKey } },
    });
    options = await dependencies.as(undefined, { timeoutMs: 60_000 });
    const address = `127.0.0.1:${dependencies.host.grpcPort}`;
    for (const replica of [0, 1]) {
      const dataDir = join(folder, `data-${replica}`);
      mkdirSync(dataDir);
      const config = create(ConfigSchema, {
        dataDir,
        identity: { privateKey },
        grpc: { port: 0 },
        admin: { port: 0 },
        addresses: { retrieval: address, embedding: address },
        storage: { database },
        indexer: { leaseMs: 3000, maxRunningJobs: 2 },
      });
      writeFileSync(configOf(replica), toJsonString(ConfigSchema, config));
    }
  });
  afterAll(async () => {
    for (const replica of replicas) replica.kill();
    for (const replica of replicas) await replica.gone();
    await dependencies.close();
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const idsOf = async (client: Client<typeof IndexerService>, corpus: string) => {
    const ids: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await client.listDocuments({ corpus, pageSize: 1000, pageToken }, options);
      ids.push(...page.documents.map(({ documentId }) => documentId));
      if (page.nextPageToken === '') return ids;
      pageToken = page.nextPageToken;
    }
  };

  const openCount = async (client: Client<typeof IndexerService>) => {
    const { jobs } = await client.listJobs({ pageSize: 100 }, options);
    return jobs.filter(({ state }) => state === JobState.QUEUED || state === JobState.RUNNING).length;
  };

  test('a job that one receives is run, watched, cancelled and deleted from by either', async () => {
    const clients = await Promise.all([start(0), start(1)]);
    const [first, second] = clients;
    const { jobId } = await first.ingestDocuments(partsOf({ 'x.jsonl': jsonl(30) }, { corpus: 'x' }), options);
    const states: JobState[] = [];
    for await (const { job } of second.watchJob({ jobId }, options)) states.push(job?.state ?? JobState.UNSPECIFIED);
    expect(states.at(-1)).toBe(JobState.SUCCEEDED);
    await second.deleteDocuments({ corpus: 'x', documentIds: ['d7'] }, options);
    for (const client of clients) expect(await idsOf(client, 'x')).toHaveLength(29);

    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    embedding.before = () => {
      reached.resolve();
      return gate.promise;
    };
    const running = await first.ingestDocuments(partsOf({ 'y.md': 'Y' }, { corpus: 'x' }), options);
    await reached.promise;
    // One of the two runs the job; both are called, so one cancels a job of the other.
    const cancelled = await Promise.all(clients.map((client) => client.cancelJob({ jobId: running.jobId }, options)));
    expect(cancelled.map(({ job }) => job?.state)).toEqual([JobState.CANCELLED, JobState.CANCELLED]);
    embedding.before = () => {};
    gate.resolve();
    for (const replica of replicas) replica.kill();
    for (const replica of replicas) await replica.gone();
  }, 300_000);

  test('a held version is decided, and an overlay applied and changed, through either', async () => {
    const [first] = await Promise.all([start(0), start(1)]);
    const [one, two] = replicas as [IndexerProcess, IndexerProcess];
    const finish = async (jobId: string) => {
      let last: Job | undefined;
      for await (const { job } of (await two.client()).watchJob({ jobId }, options)) last = job;
      return last;
    };
    const ingest = async (count: number) => {
      const parts = partsOf({ 'h.jsonl': jsonl(count) }, { corpus: 'held', deleteMissing: true });
      return finish((await first.ingestDocuments(parts, options)).jobId);
    };
    await ingest(40);
    const held = await ingest(10);
    expect(held?.state).toBe(JobState.HELD);
    const jobId = held?.jobId ?? '';
    const gates = await Promise.all([one.clientOf(VersionGateService), two.clientOf(VersionGateService)]);
    for (const gate of gates) {
      const { versions } = await gate.listHeldVersions({}, options);
      expect(versions.map((version) => version.jobId)).toEqual([jobId]);
    }
    // Both decide concurrently: one of them does, and the other one is refused.
    const decided = await Promise.allSettled(gates.map((gate) => gate.approveVersion({ jobId }, options)));
    expect(decided.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await finish(jobId))?.state).toBe(JobState.SUCCEEDED);

    const overlays = await Promise.all([one.clientOf(OverlayService), two.clientOf(OverlayService)]);
    const { chunks } = await overlays[0].listChunks({ corpus: 'held', documentId: 'd3' }, options);
    const contentHash = chunks[0]?.textHash ?? '';
    const target = { corpus: 'held', documentId: 'd3', kind: OverlayKind.CHUNK, contentHash };
    const texts = ['from one', 'from two'];
    const puts = await Promise.all(
      overlays.map((client, at) =>
        client.putOverlay({ target, change: { case: 'text', value: texts[at] ?? '' } }, options),
      ),
    );
    for (const put of puts) await finish(put.jobId);
    const { revisions } = await overlays[0].listOverlayRevisions({ target }, options);
    expect(revisions.map(({ revision }) => revision)).toEqual([2n, 1n]);
    expect(index.live('held').get('d3')?.chunks[0]?.text).toBe(revisions[0]?.text);
    for (const replica of replicas) replica.kill();
    for (const replica of replicas) await replica.gone();
  }, 300_000);

  test('killed in the middle of jobs, one after the other: no document is lost, none is there twice', async () => {
    const clients = await Promise.all([start(0), start(1)]);
    // Jobs take long enough to be killed in the middle.
    index.intercept(async (rpc) => {
      if (rpc === 'write' || rpc === 'publish') await sleep(150);
    });
    const accepted: { jobId: string; corpus: string; prefix: string }[] = [];
    const refused: { corpus: string; prefix: string }[] = [];
    let isOver = false;
    const upload = async () => {
      for (let count = 0; count < 24; count++) {
        const [corpus, prefix] = [corpora[count % corpora.length] as string, `u${count}-`];
        const file = { [`${prefix}.jsonl`]: jsonl(documentsOfUpload, (at) => `Text ${prefix}${at}.`, prefix) };
        try {
          const client = clients[count % clients.length] as Client<typeof IndexerService>;
          const { jobId } = await client.ingestDocuments(partsOf(file, { corpus }), options);
          accepted.push({ jobId, corpus, prefix });
        } catch {
          // The process was killed before it replied: the upload may be there or not.
          refused.push({ corpus, prefix });
          await sleep(500);
        }
      }
      isOver = true;
    };
    const kill = async () => {
      for (let round = 0; round < 6 || !isOver; round++) {
        await sleep(1500);
        const at = round % 2;
        replicas[at]?.kill();
        await replicas[at]?.gone();
        clients[at] = await start(at);
      }
    };
    await Promise.all([upload(), kill()]);

    await expect.poll(() => openCount(clients[0] as Client<typeof IndexerService>), patient).toBe(0);
    expect(accepted.length).toBeGreaterThan(10);
    for (const { jobId } of accepted) {
      const { job } = await (clients[1] as Client<typeof IndexerService>).getJob({ jobId }, options);
      expect(job).toMatchObject({ jobId, state: JobState.SUCCEEDED });
      expect(job?.progress?.indexedCount).toBe(BigInt(documentsOfUpload));
    }
    for (const corpus of corpora) {
      const live = [...index.live(corpus).keys()].sort();
      const count = (prefix: string) => live.filter((id) => id.startsWith(prefix)).length;
      for (const one of accepted.filter((other) => other.corpus === corpus)) {
        expect(count(one.prefix)).toBe(documentsOfUpload);
      }
      // An upload without a reply is whole or absent.
      const doubtful = refused.filter((other) => other.corpus === corpus).map(({ prefix }) => count(prefix));
      for (const found of doubtful) expect([0, documentsOfUpload]).toContain(found);
      const expected = accepted.filter((other) => other.corpus === corpus).length * documentsOfUpload;
      expect(live).toHaveLength(expected + doubtful.reduce((sum, found) => sum + found, 0));
      for (const client of clients) expect(await idsOf(client, corpus)).toEqual(live);
    }
    expect(index.building()).toEqual([]);
  }, 300_000);

  test('PostgreSQL cut off, paused and restarted in the middle of jobs: what was acknowledged is complete', async () => {
    for (const replica of replicas) replica.kill();
    const clients = await Promise.all([start(0), start(1)]);
    const jobIds: string[] = [];
    let isOver = false;
    const upload = async () => {
      for (let count = 0; count < 30 || !isOver; count++) {
        const client = clients[count % 2] as Client<typeof IndexerService>;
        const prefix = `v${count}-`;
        const file = { [`${prefix}.jsonl`]: jsonl(documentsOfUpload, (at) => `Text ${prefix}${at}.`, prefix) };
        const call = client.ingestDocuments(partsOf(file, { corpus: `outage-${count % 3}` }), options);
        await call.then(({ jobId }) => jobIds.push(jobId)).catch(() => {});
        await sleep(300);
      }
    };
    const disturb = async () => {
      await sleep(1000);
      await server.dropConnections();
      await sleep(2000);
      server.pause();
      await sleep(5000);
      server.resume();
      await sleep(2000);
      await server.kill();
      await sleep(1000);
      await server.start();
      isOver = true;
    };
    await Promise.all([upload(), disturb()]);
    const stateOf = async (jobId: string) =>
      (await (clients[0] as Client<typeof IndexerService>).getJob({ jobId }, options)).job?.state;
    for (const jobId of jobIds) await expect.poll(() => stateOf(jobId), patient).toBe(JobState.SUCCEEDED);
    expect(jobIds.length).toBeGreaterThan(10);
    // Uploads without a reply may be there as well; each is whole.
    await expect.poll(() => openCount(clients[0] as Client<typeof IndexerService>), patient).toBe(0);
    for (let at = 0; at < 3; at++) {
      const live = [...index.live(`outage-${at}`).keys()].sort();
      expect(live.length % documentsOfUpload).toBe(0);
      for (const client of clients) expect(await idsOf(client, `outage-${at}`)).toEqual(live);
    }
  }, 300_000);
});
