import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { AskRequestSchema, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import type { TestServer } from '#kit/testing/server.ts';
import { CommandError } from '../../cli/command.ts';
import { ingestFiles } from '../../cli/ingest.ts';
import { type Costs, costsPath, type Kind, kinds, type Topology } from '../../cli/plan/costs.ts';
import { createProgress, type Progress } from '../../cli/progress.ts';
import { findFiles } from '../../cli/upload/upload.ts';
import { callsPerSecond, latencies, median, percentile, type Row } from '../measure.ts';
import { createRawClient } from '../raw-client.ts';
import { cpuMsOfFamily, type Processes, startProcesses } from './processes.ts';

// What a request costs each process of a deployment, PostgreSQL and Redis: the table from which `npm run plan` computes.

const rounds = 3;
const seconds = 2;
const callers = 16;
const firstTextCalls = 100;
const idleMs = 3000;
const topologies: readonly Topology[] = ['grouped', 'services'];

/** What is read before and after a load, to see what it cost. */
interface Meter {
  processes: Processes;
  postgres: TestPostgres;
  redis: TestServer;
  database: pg.Client;
  commands: Redis;
}

/** Measures, and writes the table of costs. Has no bars: its rows are facts for a plan. */
export async function benchCapacity(): Promise<Row[]> {
  if (!hasPostgres || !hasRedis) throw new CommandError(`capacity needs both: ${postgresAdvice}; ${redisAdvice}`);
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-capacity-'));
  const progress = createProgress();
  const costs: Costs = {
    measured: {
      on: new Date(Date.now()).toISOString().slice(0, 10),
      node: process.version,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      callers,
    },
    topologies: { grouped: {}, services: {} },
    first_text_ms: { grouped: noCosts(), services: noCosts() },
    postgres: { transactions: noCosts(), cpu_ms: noCosts() },
    redis: { commands: noCosts(), cpu_ms: noCosts() },
  };
  try {
    for (const topology of topologies) await measureTopology(topology, folder, costs, progress);
  } finally {
    progress.end();
    rmSync(folder, { recursive: true, force: true });
  }
  mkdirSync(dirname(fileURLToPath(costsPath)), { recursive: true });
  writeFileSync(costsPath, `${JSON.stringify(costs, undefined, 2)}\n`);
  return topologies.flatMap((topology) =>
    kinds.map((kind) => {
      const each = Object.entries(costs.topologies[topology]).map(
        ([name, { cpu_ms }]) => [name, cpu_ms[kind]] as const,
      );
      return {
        name: `CPU of a ${kind} answer in all processes, ${topology}, ms`,
        measured: each.map(([name, ms]) => `${name} ${ms}`).join(', '),
        value: each.reduce((sum, [, ms]) => sum + ms, 0),
        sense: '≤' as const,
        bar: Number.POSITIVE_INFINITY,
      };
    }),
  );
}

const noCosts = (): Record<Kind, number> => ({ cached: 0, generated: 0 });

async function measureTopology(topology: Topology, folder: string, costs: Costs, progress: Progress): Promise<void> {
  await using postgres = await startPostgres({ isDurable: true });
  await using redis = await startRedis();
  const url = await postgres.createDatabase();
  await using processes = await startProcesses(topology, folder, { database: url, redisPort: redis.port });
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  const commands = new Redis({ port: redis.port, host: '127.0.0.1' });
  const meter: Meter = { processes, postgres, redis, database, commands };
  try {
    await ingestSample(processes);
    const asked = await cacheable(processes);
    const load = createLoad(processes, asked);
    const idle = await measureIdle(meter);
    const rows: Record<Kind, Use[]> = { cached: [], generated: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const kind of kinds) {
        progress.update(
          round * kinds.length + kinds.indexOf(kind),
          (rounds + 1) * kinds.length,
          `${topology}, ${kind}`,
        );
        const found = await measureLoad(meter, idle, load(kind));
        // The first round compiles, and fills the cache.
        if (round === 0) continue;
        rows[kind].push(found);
      }
    }
    const middle = (kind: Kind, name: string) => rounded(median(rows[kind].map((use) => use[name] ?? Number.NaN)));
    // The engines have the same work in both topologies; the figures of the second one are kept.
    for (const kind of kinds) {
      costs.postgres.transactions[kind] = middle(kind, 'postgresTransactions');
      costs.postgres.cpu_ms[kind] = middle(kind, 'postgresMs');
      costs.redis.commands[kind] = middle(kind, 'redisCommands');
      costs.redis.cpu_ms[kind] = middle(kind, 'redisMs');
      costs.first_text_ms[topology][kind] = await firstTextMs(processes, asked, kind);
    }
    for (const [name, memoryMb] of Object.entries(processes.memoryMb())) {
      const cpu_ms = { cached: middle('cached', name), generated: middle('generated', name) };
      costs.topologies[topology][name] = { cpu_ms, memory_mb: memoryMb };
    }
    load.close();
  } finally {
    await database.end();
    commands.disconnect();
  }
}

/** Figures with three digits behind the point. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000;

const connect = ({ edgePort, key }: Processes) =>
  createConnectTransport({
    baseUrl: `http://127.0.0.1:${edgePort}`,
    httpVersion: '2',
    interceptors: [authorize(key)],
  });

async function ingestSample(processes: Processes): Promise<void> {
  const sample = fileURLToPath(new URL('../../../deployments/sample', import.meta.url));
  const { files } = await findFiles([sample]);
  const job = await ingestFiles(createClient(IndexerService, connect(processes)), 'help', files, createProgress());
  if (job.state !== JobState.SUCCEEDED) throw new Error(`the sample could not be taken in: ${job.error}`);
}

const authorize =
  (key: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set('authorization', `Bearer ${key}`);
    return next(request);
  };

const questions = (): string[] =>
  readFileSync(new URL('../../../deployments/sample-gold/queries.jsonl', import.meta.url), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { text: string }).text);

/** Asks every question twice, and returns those whose second answer is from the cache: a refusal, for example, is never cached. */
async function cacheable(processes: Processes): Promise<string[]> {
  const chat = createClient(ChatService, connect(processes));
  const found: string[] = [];
  for (const question of questions()) {
    let layer: CacheLayer = CacheLayer.UNSPECIFIED;
    for (let time = 0; time < 2; time++) {
      for await (const { event } of chat.ask({ question })) if (event.case === 'done') layer = event.value.cacheLayer;
    }
    if (layer !== CacheLayer.UNSPECIFIED) found.push(question);
  }
  if (found.length < 10) throw new Error(`only ${found.length} of the questions are cached: the table would be wrong`);
  return found;
}

/** Returns a function that returns the calls of a kind: each asks the next question. */
function createLoad({ edgePort, key }: Processes, asked: readonly string[]) {
  const path = `/${ChatService.typeName}/Ask`;
  const clients = new Map(
    kinds.map((kind) => [
      kind,
      asked.map((question) => {
        const request = create(AskRequestSchema, { question, bypassCache: kind === 'generated' });
        return createRawClient(`http://127.0.0.1:${edgePort}`, path, toBinary(AskRequestSchema, request), key);
      }),
    ]),
  );
  let next = 0;
  const load = (kind: Kind) => () => {
    const all = clients.get(kind) ?? [];
    return all[next++ % all.length]?.call() ?? Promise.reject(new Error('there is no question'));
  };
  load.close = () => {
    for (const client of [...clients.values()].flat()) client.close();
  };
  return load;
}

/** Returns what a mesh without requests uses in a millisecond: timers, polls, heartbeats. */
async function measureIdle(meter: Meter): Promise<Use> {
  const before = await read(meter);
  await sleep(idleMs);
  const after = await read(meter);
  return mapUse(after, (value, name) => (value - (before[name] ?? 0)) / (after.atMs - before.atMs));
}

async function measureLoad(meter: Meter, idle: Use, call: () => Promise<unknown>): Promise<Use> {
  const before = await read(meter);
  let count = 0;
  await callsPerSecond(callers, seconds, async () => {
    await call();
    count++;
  });
  const after = await read(meter);
  const elapsedMs = after.atMs - before.atMs;
  return mapUse(after, (value, name) =>
    Math.max(0, (value - (before[name] ?? 0) - (idle[name] ?? 0) * elapsedMs) / count),
  );
}

/** What was used, by name: CPU time of processes, and counts of the engines. */
type Use = Record<string, number>;

const mapUse = (use: Use, map: (value: number, name: string) => number): Use =>
  Object.fromEntries(Object.entries(use).map(([name, value]) => [name, map(value, name)]));

async function read({ processes, postgres, redis, database, commands }: Meter): Promise<Use & { atMs: number }> {
  // PostgreSQL publishes the counters of a connection about once a second.
  await sleep(1200);
  const { rows } = await database.query(
    'SELECT xact_commit AS count FROM pg_stat_database WHERE datname = current_database()',
  );
  const stats = await commands.info('stats');
  return {
    ...processes.cpuMs(),
    postgresTransactions: Number(rows[0]?.count),
    postgresMs: cpuMsOfFamily(postgres.pid()),
    redisCommands: Number(/total_commands_processed:(\d+)/.exec(stats)?.[1]),
    redisMs: cpuMsOfFamily(redis.pid),
    atMs: performance.now(),
  };
}

async function firstTextMs(processes: Processes, asked: readonly string[], kind: Kind): Promise<number> {
  const chat = createClient(ChatService, connect(processes));
  const times = await latencies(1, firstTextCalls, async (index) => {
    const startedAt = performance.now();
    let firstMs = Number.NaN;
    const question = asked[index % asked.length] as string;
    for await (const { event } of chat.ask({ question, bypassCache: kind === 'generated' })) {
      if (event.case === 'textDelta' && Number.isNaN(firstMs)) firstMs = performance.now() - startedAt;
    }
    return firstMs;
  });
  return rounded(
    percentile(
      times.filter((ms) => !Number.isNaN(ms)),
      0.5,
    ),
  );
}
