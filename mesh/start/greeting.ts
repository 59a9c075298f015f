import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  AdminConfigSchema,
  type Config,
  EdgeConfigSchema,
  GrpcConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import type { Host } from '#kit/host/host.ts';
import type { SampleResult } from './sample.ts';

/** What the edge reports once it runs. */
export interface RunningEdge {
  port: number;
  devKeys?: { dev: string; customer: string } | undefined;
}

/** What the greeting describes. */
export interface Greeting {
  host: Pick<Host, 'grpcPort' | 'adminPort' | 'running' | 'readiness'>;
  config: Config;
  /** Every service of the mesh, and those of this process. */
  known: readonly ServiceDefinition[];
  chosen: readonly ServiceDefinition[];
  /** Time that the start took, in milliseconds. */
  startMs: number;
  /** Workers of the group; `undefined`: one process runs everything. */
  workerCount?: number;
  /** What became of the sample; `undefined` if it was not loaded here. */
  sample: SampleResult | undefined;
}

/** Returns what `npm start` prints when it serves: addresses, services elsewhere, what is not ready, and the files of the keys. */
export function greetingOf({ host, config, known, chosen, startMs, sample, workerCount }: Greeting): string[] {
  const isWhole = chosen.length === known.length;
  const edge = host.running('edge') as unknown as RunningEdge | undefined;
  const { grpc = create(GrpcConfigSchema), admin = create(AdminConfigSchema) } = config;
  const names = isWhole ? '' : `: ${chosen.map(({ name }) => name).join(', ')}`;
  const lines = [`ragmesh is up in ${(startMs / 1000).toFixed(1)} s${names}`];
  const line = (label: string, text: string) => lines.push(`  ${label.padEnd(17)}${text}`);
  if (edge !== undefined) {
    line('console and API', `http://${(config.edge ?? create(EdgeConfigSchema)).host}:${edge.port}`);
  }
  line('gRPC', `${grpc.host}:${host.grpcPort}`);
  line('health, metrics', `http://${admin.host}:${host.adminPort}`);
  if (workerCount !== undefined) line('processes', `${workerCount} workers, and one that has the records`);
  for (const name of calledElsewhere(known, chosen)) {
    const address = config.addresses[name];
    if (address === undefined) line('NO ADDRESS', `${name}: calls to it fail; set addresses.${name}`);
    else line('remote', `${name} at ${address}`);
  }
  for (const { service, notReady, degraded } of host.readiness()) {
    if (notReady !== undefined) line('NOT READY', `${service}: ${notReady}`);
    for (const reason of degraded) line('degraded', `${service}: ${reason}`);
  }
  if (sample?.problem !== undefined) line('sample', `NOT LOADED: ${sample.problem}`);
  else if (sample !== undefined && sample.documentCount > 0) {
    line('sample', `${sample.documentCount} documents in corpus "shop"`);
  }
  if ((!isWhole || config.storage?.database) && !config.identity?.privateKey && !config.identity?.publicKey) {
    line('mesh key', `${join(config.dataDir, 'identity.pem')} (every process of the mesh needs the same)`);
  }
  if (edge?.devKeys !== undefined) {
    line('development key', `${edge.devKeys.dev} (staff, may call models)`);
    line('customer key', `${edge.devKeys.customer} (asks public documents only)`);
    line('keys are in', join(config.dataDir, 'edge', 'dev-keys.json'));
  } else if (edge !== undefined) line('keys', 'those of edge.api_keys and edge.jwt in the configuration');
  return lines;
}

/** Returns the names of services that this process calls and does not run. */
function calledElsewhere(known: readonly ServiceDefinition[], chosen: readonly ServiceDefinition[]): string[] {
  const needs = chosen.flatMap((service) => Object.values({ ...service.needs, ...service.optionalNeeds }));
  const called = new Set(needs.map(({ contract }) => contract));
  return known
    .filter((service) => !chosen.includes(service) && service.contracts.some((contract) => called.has(contract)))
    .map(({ name }) => name);
}

/** A line that says what the process is doing. */
export interface StatusLine {
  show(text: string): void;
  /** Erases the line from a terminal; elsewhere it stays. */
  clear(): void;
}

/** Creates a status line: replaced in place on a terminal, a line of its own elsewhere (a log). */
export function createStatusLine(stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>): StatusLine {
  const erase = '\r\x1b[K';
  return {
    show: (text) => void stream.write(stream.isTTY ? `${erase}${text}` : `${text}\n`),
    clear: () => {
      if (stream.isTTY) stream.write(erase);
    },
  };
}
