import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Registry } from 'prom-client';
import { AdminConfigSchema, type Config, ConfigSchema, GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { startAdmin } from '#kit/host/admin.ts';
import type { ReadinessReport } from '#kit/host/readiness.ts';
import type { SampleResult } from '../start/sample.ts';
import { registerGroupMetrics } from './group-metrics.ts';
import { keepSeat, type Seat } from './keep.ts';
import { closeLostConnections } from './lost-connections.ts';
import { createMemberProcess, type MemberProcess } from './member-process.ts';
import type { Role, Serving, StartMessage } from './messages.ts';
import { groupMetrics, groupReadiness, type NamedReport } from './report.ts';

/** What a group runs with. */
export interface GroupOptions {
  /** The program of its members, and its arguments. */
  program: string;
  args: readonly string[];
  workerCount: number;
  /** Names of the services of the group. */
  services: readonly string[];
  config: Config;
  log: Logger;
}

/** A running group. */
export interface Group {
  adminPort: number;
  /** What the first worker reported. */
  serving: Serving;
  readiness(): Promise<ReadinessReport[]>;
  /** Returns the ids of its members' processes. */
  pids(): number[];
  /** Passes a new configuration to all members: all take it or none does. Rejects with what is wrong. */
  reconfigure(config: Config): Promise<void>;
  loadSample(): Promise<SampleResult | undefined>;
  /** Drains the workers, then the owner. */
  close(): Promise<void>;
}

/** Time beyond the grace period after which a member that has not ended is killed, in milliseconds. */
const killAfterMs = 10_000;

/**
 * Starts a group: one owner, which has the records, then the workers, which share the ports of the edge and of gRPC. This process starts
 * members, replaces those that end, and answers the admin port for all. Rejects with StartError if a member cannot start the first time.
 */
export async function startGroup(options: GroupOptions): Promise<Group> {
  const { workerCount, services, log, program, args } = options;
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-'));
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\${folder.replaceAll('\\', '-')}` : join(folder, 'owner');
  let config = options.config;
  cluster.setupPrimary({ exec: program, args: [...args], serialization: 'advanced' });
  // New connections go to the workers in turn; the other policy leaves the choice to the kernel, which is uneven for few connections.
  cluster.schedulingPolicy = cluster.SCHED_RR;

  const start = (role: Role, number: number): MemberProcess => {
    const child: ChildProcess =
      role === 'owner' ? fork(program, [...args], { serialization: 'advanced' }) : cluster.fork().process;
    if (role === 'worker') closeLostConnections(child);
    const message: StartMessage = {
      ...{ kind: 'start', role, number, path, services },
      changesPath: join(folder, 'changes'),
      config: toBinary(ConfigSchema, config),
    };
    return createMemberProcess(child, message);
  };
  const seats: { role: Role; name: string; seat: Seat }[] = [];
  const take = (role: Role, number: number): Promise<Serving> => {
    const seat = keepSeat(
      () => start(role, number),
      log,
      () => performance.now(),
    );
    seats.push({ role, name: role === 'owner' ? 'owner' : `worker ${number}`, seat });
    return seat.firstServing;
  };
  const stop = async () => {
    const { drainMs, drainDelayMs } = config.grpc ?? create(GrpcConfigSchema);
    const timeoutMs = drainDelayMs + drainMs + killAfterMs;
    const of = (role: Role) => seats.filter((each) => each.role === role).map(({ seat }) => seat.stop(timeoutMs));
    await Promise.all(of('worker'));
    await Promise.all(of('owner'));
    rmSync(folder, { recursive: true, force: true });
  };
  const reports = (): Promise<NamedReport[]> =>
    Promise.all(
      seats.map(async ({ role, name, seat }) => {
        const report =
          seat.member?.isServing() === true ? await seat.member.report().catch(() => undefined) : undefined;
        return { role, name, report };
      }),
    );

  try {
    await take('owner', 0);
    const [serving] = await Promise.all(Array.from({ length: workerCount }, (_, index) => take('worker', index + 1)));
    const registry = new Registry();
    registerGroupMetrics(registry, () => seats);
    const readiness = async () => groupReadiness(await reports());
    const { host, port } = config.admin ?? create(AdminConfigSchema);
    const admin = await startAdmin(host, port, readiness, async () => groupMetrics(await reports(), registry));
    return {
      adminPort: admin.port,
      serving: serving as Serving,
      readiness,
      pids: () => seats.flatMap(({ seat }) => seat.member?.pid ?? []),
      async reconfigure(next) {
        const before = config;
        // A member that starts meanwhile gets the new one.
        config = next;
        await reconfigureAll(seats, next).catch(async (error: unknown) => {
          config = before;
          await reconfigureAll(seats, before).catch(() => {});
          throw error;
        });
      },
      loadSample: async () => seats[0]?.seat.member?.loadSample(),
      async close() {
        await stop();
        await admin.close();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function reconfigureAll(seats: readonly { seat: Seat }[], config: Config): Promise<void> {
  for (const { seat } of seats) {
    const { member } = seat;
    const isServing = await member?.serving.then(
      () => true,
      () => false,
    );
    if (isServing) await member?.reconfigure(toBinary(ConfigSchema, config));
  }
}
