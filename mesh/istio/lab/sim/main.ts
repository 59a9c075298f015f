import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAuthority, tlsSecret } from '#kit/testing/authority.ts';
import { services } from '../../../run.ts';
import type { Installation as Names } from '../../model/installation.ts';
import { createModel } from '../../model/model.ts';
import { regions } from '../../model/regions.ts';
import {
  controlPlaneInput,
  type Installation,
  readOneCluster,
  readRegions,
  readWithComponents,
} from '../cluster/installation.ts';
import type { Cluster } from '../cluster/pods.ts';
import { ask, binaryAdvice, buildBinary } from '../tools/binary.ts';
import { printTable } from '../tools/table.ts';
import { type Check, checkReport } from './checks.ts';
import { outsideQuestions, proxyOf, publicQuestions, rpcQuestions } from './questions.ts';
import { parseReport } from './report.ts';

const help = `npm run mesh:sim

Loads the manifests of deployments/kubernetes into Istio's own discovery code, as they are installed in one cluster (topologies services and
grouped) and in two regions, and asks it what every sidecar does with every call. Exit code: 0 if all claims hold or if the tools are
absent, else 1. Needs Go for its first run; the program that it builds is kept in ~/.cache/ragmesh/mesh-lab.
`;

const say = (line: string) => process.stdout.write(`${line}\n`);

/** Runs the simulation of every installation. Returns all checks, by the installation and its cluster. */
export function simulate(binary: string, report: (line: string) => void = say): Map<string, Check[]> {
  const keys = { mesh: exampleKeys(), endUsers: exampleKeys() };
  const kustomize = (folder: string) => ask(binary, 'Kustomize', folder);
  const reading = { kustomize, keys, replicasOf: () => 1 };
  const results = new Map<string, Check[]>();
  const readers = [
    () => readOneCluster('services', reading),
    () => readOneCluster('grouped', reading),
    () => readWithComponents('services', ['gateway-api'], reading),
    () => readWithComponents('grouped', ['gateway-api'], reading),
    () => readRegions(reading),
  ];
  for (const read of readers) {
    const installation = read();
    for (const cluster of installation.clusters) {
      const name = `${installation.name}, cluster ${cluster.manifests.cluster}`;
      report(`${name}: ${cluster.pods.length} proxies …`);
      results.set(name, simulateCluster(binary, installation, cluster));
    }
  }
  return results;
}

function simulateCluster(binary: string, installation: Installation, cluster: Cluster): Check[] {
  const model = createModel(services, installation.topology);
  const rpcs = rpcQuestions(model, cluster);
  const outside = outsideQuestions(model, cluster);
  const fromClients = publicQuestions(model, cluster);
  const input = {
    ...controlPlaneInput(installation, cluster, { objects: [publicSecret(model.installation)] }),
    proxies: cluster.pods.map(proxyOf),
    calls: [...rpcs, ...outside, ...fromClients].map(({ call }) => call),
  };
  const report = parseReport(ask(binary, 'Simulate', input));
  const { cluster: name } = cluster.manifests;
  const region = regions.find((each) => each.name === name);
  return checkReport({ model, cluster: name, region, rpcs, outside, fromClients }, report);
}

/** The certificate of the entrance: the Gateway API refuses a listener without one. */
function publicSecret({ gateways, publicHost }: Names): object {
  const scratch = mkdtempSync(join(tmpdir(), 'ragmesh-sim-'));
  try {
    return tlsSecret(gateways.ingress.namespace, createAuthority(scratch).issue(`DNS:${publicHost}`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Keys that sign nothing: the simulation reads no token. */
function exampleKeys(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', kid: 'example' }] });
}

function main(): number {
  const binary = buildBinary(say);
  if (binary === undefined) {
    say(`skipped: the simulation of the mesh (1): ${binaryAdvice}`);
    return 0;
  }
  const results = simulate(binary);
  const rows = [...results].flatMap(([installation, checks]) =>
    checks.map(({ name, count, problems }) => ({
      group: installation,
      name,
      outcome: problems.length === 0 ? ('passed' as const) : ('failed' as const),
      detail: `${count - Math.min(count, problems.length)} of ${count}`,
      problems,
    })),
  );
  return printTable(rows, say);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } });
  if (values.help) process.stdout.write(help);
  else process.exitCode = main();
}
