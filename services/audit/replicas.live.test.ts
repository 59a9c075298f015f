import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { audit } from './index.ts';
import { recordOf } from './testing/audit.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 3, postgresAdvice))('replicas of audit', () => {
  let server: TestPostgres;
  let root: string;
  beforeAll(async () => {
    server = await startPostgres({ isDurable: true });
    root = mkdtempSync(join(tmpdir(), 'ragmesh-audit-'));
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  /** Starts replicas over one database. */
  const startReplicas = async (database: string, count: number) => {
    const config = { storage: { database } };
    const meshes = await Promise.all(Array.from({ length: count }, () => startTestMesh([audit], { config })));
    onTestFinished(async () => {
      for (const mesh of meshes) await mesh.close();
    });
    return Promise.all(
      meshes.map(async (mesh) => ({ client: mesh.client(AuditService), as: mesh.as, options: await mesh.as() })),
    );
  };

  test('append to one chain a tenant, and record an answer once, whichever gets it first', async () => {
    const replicas = await startReplicas(await server.createDatabase(), 3);
    const tenants = ['acme', 'bolt', 'corp', 'dune'];
    const work = tenants.flatMap((tenant, tenantIndex) =>
      Array.from({ length: 100 }, (_, index) => ({ tenant, answerId: `a${index}`, at: index + tenantIndex })),
    );
    // Each answer goes to two replicas at the same time, and the usage of it to the third.
    const sequences = await Promise.all(
      work.map(async ({ tenant, answerId, at }) => {
        const [first, second, third] = [0, 1, 2].map((offset) => replicas[(at + offset) % 3]);
        const principal = testPrincipal({ tenant });
        const usage = { requestId: answerId, usages: [{ model: 'gpt', usage: { promptTokens: 3n, costMicros: 5n } }] };
        const record = async (replica: typeof first) =>
          replica?.client.record(
            recordOf(answerId, { model: 'gpt', usage: { promptTokens: 100n } }),
            await replica.as(principal),
          );
        const [one, two] = await Promise.all([
          record(first),
          record(second),
          third?.client.recordUsage(usage, await third.as(principal)),
        ]);
        expect(one?.sequence).toBe(two?.sequence);
        return `${tenant} ${one?.sequence}`;
      }),
    );
    expect(new Set(sequences).size).toBe(work.length);
    for (const [index, tenant] of tenants.entries()) {
      const replica = replicas[index % 3] as (typeof replicas)[number];
      const options = await replica.as(testPrincipal({ tenant }));
      expect(await replica.client.verifyChain({}, options)).toMatchObject({ intact: true, entryCount: 100n });
      const { rows } = await replica.client.getUsageReport({}, options);
      const sum = (pick: (row: (typeof rows)[number]) => bigint) => rows.reduce((a, row) => a + Number(pick(row)), 0);
      expect([sum((row) => row.answerCount), sum((row) => row.promptTokens)]).toEqual([100, 300]);
    }
  });

  test('lose nothing that was acknowledged and repeat nothing if processes are killed', async () => {
    const database = await server.createDatabase();
    const acknowledged = new Set<string>();
    const children: ChildProcess[] = [];
    const startWriter = (prefix: string) => {
      const file = fileURLToPath(new URL('./testing/killed-writer.ts', import.meta.url));
      const args = [file, join(root, prefix), database, prefix];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      createInterface({ input: child.stdout }).on('line', (id) => acknowledged.add(id));
      return child;
    };
    const until = (count: number) => expect.poll(() => acknowledged.size, { timeout: 60_000 }).toBeGreaterThan(count);
    onTestFinished(() => {
      for (const child of children) child.kill('SIGKILL');
    });
    for (const prefix of ['x', 'y', 'z']) startWriter(prefix);
    for (let round = 0; round < 4; round++) {
      await until(acknowledged.size + 200);
      children[round]?.kill('SIGKILL');
      startWriter(`w${round}`);
    }
    await until(acknowledged.size + 200);
    const ended = children.map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended.slice(4));

    const [replica] = await startReplicas(database, 1);
    const { client, options } = replica as NonNullable<typeof replica>;
    const entries = await collect(client.queryAudit({ limit: 10_000 }, options));
    const stored = entries.map(({ entry }) => entry?.record?.answerId ?? '');
    expect(new Set(stored).size).toBe(stored.length);
    const [usages, answers] = [/request-/, /answer-/].map((kind) => [...acknowledged].filter((id) => kind.test(id)));
    expect(answers?.filter((id) => !stored.includes(id))).toEqual([]);
    expect(await client.verifyChain({}, options)).toMatchObject({ intact: true, entryCount: BigInt(stored.length) });
    const { rows } = await client.getUsageReport({}, options);
    expect(Number(rows.find(({ model }) => model === 'gpt')?.promptTokens)).toBeGreaterThanOrEqual(usages?.length ?? 0);
    for (const requestId of usages?.slice(-50) ?? []) {
      const again = { requestId, usages: [{ model: 'gpt', usage: { promptTokens: 1n } }] };
      expect(await client.recordUsage(again, options)).toMatchObject({ recorded: false });
    }
  });

  test('keep what they acknowledged when the server is killed, and continue when it is back', async () => {
    await using own = await startPostgres({ isDurable: true });
    const replicas = await startReplicas(await own.createDatabase(), 2);
    const acknowledged: string[] = [];
    let isOver = false;
    const writers = replicas.map(async ({ client, options }, replica) => {
      for (let count = 0; !isOver; count++) {
        const answerId = `r${replica}-${count}`;
        const isWritten = await client.record(recordOf(answerId), options).then(
          () => true,
          (error: Error) => {
            expect(error.message).toContain('[unavailable]');
            return false;
          },
        );
        if (isWritten) acknowledged.push(answerId);
        else await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const grow = () => {
      const before = acknowledged.length;
      return expect.poll(() => acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(before + 20);
    };
    await grow();
    for (const interrupt of [
      () => own.kill().then(own.start),
      () => own.stop().then(own.start),
      () => own.dropConnections(),
      async () => {
        own.pause();
        await new Promise((resolve) => setTimeout(resolve, 1000));
        own.resume();
      },
    ]) {
      await interrupt();
      await grow();
    }
    isOver = true;
    await Promise.all(writers);
    const { client, options } = replicas[0] as (typeof replicas)[number];
    const stored = await collect(client.queryAudit({ limit: 10_000 }, options));
    const ids = stored.map(({ entry }) => entry?.record?.answerId);
    expect(acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await client.verifyChain({}, options)).toMatchObject({ intact: true });
  });
});
