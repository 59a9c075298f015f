import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { allOf, seenBy } from '../suites/access-versions.suite.ts';
import { hasPgvector, pgvectorAdvice } from '../testing/pgvector.ts';
import type { ReplicaChange } from '../testing/replica-child.ts';
import { failureOf, type RetrievalMesh, type ShortDocument, startRetrieval } from '../testing/retrieval.ts';

// One replica is killed and started again while it changes an index, and another one is asked after each acknowledgement. Catalog and
// stores are in PostgreSQL.

/** A replica in a process of its own. */
interface Writer {
  /** Carries out a change. Rejects if the process ends before it is acknowledged. */
  change(change: ReplicaChange): Promise<string>;
  kill(): Promise<void>;
}

async function startWriter(url: string): Promise<Writer> {
  const file = fileURLToPath(new URL('../testing/replica-child.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [file, url], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the replica has ended');
    return value as string;
  };
  // A change that is sent to a replica that has ended is not acknowledged, which `next` reports.
  child.stdin?.on('error', () => {});
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await next();
  return {
    change(change) {
      child.stdin?.write(`${JSON.stringify(change)}\n`);
      return next();
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe.skipIf(!hasPgvector && skipped('pgvector', 3, pgvectorAdvice))('replicas over one PostgreSQL', () => {
  let server: TestPostgres;
  let url: string;
  let reader: RetrievalMesh;
  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    reader = await startRetrieval({ database: url });
  });
  afterAll(async () => {
    await reader.close();
    await server[Symbol.asyncDispose]();
  });

  test('whatever one publishes, rolls back, purges and closes, and whenever it is killed, the other one answers as it was acknowledged', {
    timeout: 600_000,
  }, async () => {
    const seed = Number(process.env.RAGMESH_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const random = seededRandom(seed);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
    const some = <T>(values: readonly T[]): T[] => values.filter(() => random() < 0.4);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const corpus = 'help';
    // What each version holds; the groups of a document are those of its newest published list.
    let versions = new Map<number, Map<string, { text: string; groups: string[] }>>();
    let live = 0;

    const applyBuild = (version: number, documents: readonly ShortDocument[], removedIds: readonly string[]) => {
      versions = new Map([...versions].filter(([known]) => known <= live));
      const held = new Map(versions.get(live));
      for (const [id, text, init] of documents) held.set(id, { text, groups: init?.access?.groups ?? [] });
      for (const id of removedIds) held.delete(id);
      versions.set(version, held);
      for (const [id, { groups }] of held) {
        for (const documents of versions.values()) {
          const document = documents.get(id);
          if (document !== undefined) documents.set(id, { ...document, groups });
        }
      }
      live = version;
      // One version is kept beside the live one.
      versions = new Map([...versions].slice(-2));
    };
    const expectModel = async () => {
      const held = versions.get(live) ?? new Map();
      const chunkIds = ids.map((id) => `${id}#0`);
      for (const groups of [[], ['staff'], ['finance']]) {
        const visible = [...held].filter(
          ([, document]) =>
            document.groups.length === 0 || document.groups.some((group: string) => groups.includes(group)),
        );
        const names = visible.map(([id]) => id).toSorted();
        const seen = await seenBy(reader, corpus, groups, chunkIds);
        expect(seen, `RAGMESH_TEST_SEED=${seed}, groups ${groups}`).toEqual(allOf(...names));
        if (names.length === 0) continue;
        const options = await reader.as({ roles: [Role.READER], groups });
        const { passages } = await reader.ask('apple', { corpora: [corpus], topK: 50 }, options);
        expect(new Map(passages.map(({ documentId, text }) => [documentId, text]))).toEqual(
          new Map(visible.map(([id, { text }]) => [id, text])),
        );
      }
    };

    let writer = await startWriter(url);
    let killCount = 0;
    for (let step = 1; step <= 40; step++) {
      const older = [...versions.keys()].filter((version) => version !== live);
      const kind = live === 0 ? 'build' : pick(['build', 'build', 'rollback', 'purge'] as const);
      if (kind === 'rollback' && older.length === 0) continue;
      const change: ReplicaChange =
        kind === 'build'
          ? {
              kind,
              corpus,
              buildId: `build-${step}`,
              documents: some(ids).map((id) => [
                id,
                `apple ${step}`,
                { access: { groups: pick([[], [], ['staff'], ['finance']]) } },
              ]),
              removedIds: some(ids),
            }
          : kind === 'rollback'
            ? { kind, corpus, version: pick(older) }
            : { kind, corpus, documentIds: some(ids) };
      if (change.kind === 'purge' && change.documentIds.length === 0) continue;
      let reply: string | undefined;
      let killing: Promise<void> | undefined;
      if (random() < 0.3) {
        killCount++;
        const { kill } = writer;
        setTimeout(() => {
          killing = kill();
        }, random() * 120);
      }
      while (reply === undefined) {
        reply = await writer.change(change).catch(() => undefined);
        if (reply === undefined) {
          await killing;
          // Meanwhile the other replica answers.
          await reader.ask('apple', {}, await reader.as());
          writer = await startWriter(url);
        }
      }
      if (change.kind === 'build') applyBuild(Number(reply), change.documents, change.removedIds);
      if (change.kind === 'rollback') live = change.version;
      if (change.kind === 'purge') {
        for (const documents of versions.values()) for (const id of change.documentIds) documents.delete(id);
      }
      await expectModel();
    }
    await writer.kill();
    expect(killCount).toBeGreaterThan(0);
  });

  test('a search fails while PostgreSQL is paused, rather than answer from what may be deleted, and works afterwards', async () => {
    const other = await startRetrieval({ database: url });
    onTestFinished(() => other.close());
    await other.build('paused', 'build-1', [
      ['a', 'apple a'],
      ['b', 'apple b'],
    ]);
    const ask = async () => (await reader.ask('apple', { corpora: ['paused'] })).documentIds.toSorted();
    expect(await ask()).toEqual(['a', 'b']);
    server.pause();
    try {
      const failures = await Promise.all([ask, ask, ask].map((work) => failureOf(work())));
      for (const failure of failures) expect(failure).toMatchObject({ code: Code.Unavailable });
    } finally {
      server.resume();
    }
    const caller = await other.as();
    await retried(() => other.client.purgeDocuments({ corpus: 'paused', documentIds: ['a'] }, caller));
    expect(await retried(ask)).toEqual(['b']);
  });

  test('replicas continue after PostgreSQL has cut their connections, and after its restart', async () => {
    const corpus = 'restarted';
    const other = await startRetrieval({ database: url });
    onTestFinished(() => other.close());
    let count = 0;
    const buildAndAsk = async () => {
      count++;
      const id = `d${count}`;
      await retried(() => other.build(corpus, `build-${count}`, [[id, 'apple']]));
      const { documentIds } = await retried(() => reader.ask('apple', { corpora: [corpus], topK: 50 }));
      expect(documentIds).toContain(id);
      expect(documentIds).toHaveLength(count);
    };
    await buildAndAsk();
    await server.dropConnections();
    await buildAndAsk();
    await server.stop();
    expect(await failureOf(reader.ask('apple', { corpora: [corpus] }))).toMatchObject({ code: Code.Unavailable });
    await server.start();
    await buildAndAsk();
  });
});

/** Runs a call again while its failure says that this may help, for at most 20 seconds. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === Code.Unavailable) || performance.now() > deadline)
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
