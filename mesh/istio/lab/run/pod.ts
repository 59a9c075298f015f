import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../tools.ts';
import type { Installation as Names } from '../../model/installation.ts';
import { packetRulesOf } from '../cluster/packets.ts';
import { type Cluster, type Pod, podsOf } from '../cluster/pods.ts';
import { type Child, startChild } from './child.ts';
import type { Sidecar } from './envoy.ts';
import { bytesOf, type MemoryLimit } from './memory.ts';
import { addHost, commandOn, etcOf, labAddress, outside } from './network.ts';
import { packetFilter } from './packet-filter.ts';
import { configOfPod, environmentOf, type Secrets } from './pod-config.ts';

/** A pod that runs, or whose processes were killed. */
export interface RunningPod {
  readonly pod: Pod;
  readonly sidecar: Sidecar;
  /** The service; a gateway has none. */
  process: Child | undefined;
  /** The memory of the service, on machines that let the lab limit it. */
  readonly memory: MemoryLimit | undefined;
}

/** What the processes of pods are started with. */
export interface PodOptions {
  readonly names: Names;
  readonly folder: string;
  readonly secrets: Secrets;
  /** What the installation adds to the configuration of workloads, by section. */
  readonly additions: Readonly<Record<string, object>>;
  /** Certificates of public authorities, as the machine of a gateway has them: PEM. */
  readonly publicRoots: string;
}

const readyTimeoutMs = 180_000;

/** Makes the host of a pod. `number`: one that no other host has; `clusterIndex`: the number of its cluster. */
export function prepareHost(
  pod: Pod,
  cluster: Cluster,
  clusterIndex: number,
  number: number,
  { publicRoots }: PodOptions,
): void {
  const legs = [{ clusterIndex, address: pod.address }];
  for (const { service, externalAddress } of cluster.places) {
    const isBetween = service.metadata.labels?.['topology.istio.io/network'] !== undefined;
    if (isBetween && externalAddress !== undefined && podsOf(service, [pod]).length > 0) {
      legs.push({ clusterIndex: clusterIndex === 1 ? 2 : 1, address: externalAddress });
    }
  }
  const nodes = [1, 2].map(labAddress);
  const filter = packetFilter(packetRulesOf(cluster, pod), nodes);
  addHost({ name: pod.name, number, legs, names: namesIn(cluster), isCaptured: !pod.isGateway, filter });
  if (!pod.isGateway) return;
  const certificates = join(etcOf(pod.name), 'ssl/certs');
  mkdirSync(certificates, { recursive: true });
  writeFileSync(join(certificates, 'ca-certificates.crt'), publicRoots);
}

/** Returns the names of a cluster's services and of the world outside, with their addresses. */
function namesIn({ places }: Cluster): Map<string, string> {
  const services = places.map(({ service: { metadata }, address }): [string, string] => [
    `${metadata.name}.${metadata.namespace}.svc.cluster.local`,
    address,
  ]);
  return new Map([
    ...services,
    ['postgres.example.com', outside.postgres],
    ['redis.example.com', outside.redis],
    ['api.openai.com', outside.provider],
    ['api.anthropic.com', outside.provider],
    ['unlisted.example.org', outside.unlisted],
  ]);
}

/** Starts the service of a pod, as its container would. */
export function startProcess(
  { pod, memory }: RunningPod,
  cluster: Cluster,
  { names, folder, secrets, additions }: PodOptions,
): Child {
  const data = join(folder, pod.name);
  mkdirSync(data, { recursive: true });
  chownSync(data, names.userId, names.userId);
  const configPath = join(folder, `${pod.name}.yaml`);
  // JSON is YAML.
  writeFileSync(configPath, JSON.stringify(configOfPod(cluster, pod, additions)));
  chmodSync(configPath, 0o644);
  const args = (pod.container.args ?? []).map((arg) => (arg === '/etc/ragmesh/ragmesh.yaml' ? configPath : arg));
  const command = commandOn(pod.name, names.userId, [process.execPath, join(root, 'mesh/run.ts'), ...args]);
  memory?.set(bytesOf(pod.container.resources.limits.memory));
  return startChild({
    name: pod.name,
    command: memory?.command(command) ?? command,
    logPath: join(folder, `${pod.name}.log`),
    user: names.userId,
    cwd: root,
    env: environmentOf(pod, secrets, data),
  });
}

/** Waits until the service of a pod says that it is ready. */
export async function untilReady({ pod, process: child }: RunningPod, { names }: PodOptions): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  const url = `http://${pod.address}:${names.ports.admin}/readyz`;
  for (;;) {
    const isReady = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    if (child?.isRunning() !== true || performance.now() > deadline) {
      throw new Error(`${pod.name} did not become ready: ${child?.tail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
