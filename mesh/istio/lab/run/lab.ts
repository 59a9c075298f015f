import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, type Authority, writeIdentities } from '#kit/testing/authority.ts';
import type { Model } from '../../model/model.ts';
import { controlPlaneInput, type Installation } from '../cluster/installation.ts';
import { endpointSlice } from '../cluster/kubernetes.ts';
import { type Cluster, type Pod, podsOf } from '../cluster/pods.ts';
import { createKubernetes, type Kubernetes, type KubernetesTools } from '../kubernetes/kubernetes.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import { prepareSockets, type Sidecar, startSidecar } from './envoy.ts';
import { memoryLimitOf } from './memory.ts';
import { type PodOptions, prepareHost, type RunningPod, startProcess, untilReady } from './pod.ts';

/** What the lab runs with. */
export interface LabOptions extends PodOptions {
  readonly model: Model;
  readonly installation: Installation;
  readonly binary: string;
  readonly envoy: string;
  readonly authority: Authority;
  /** Signs certificates of sites outside of the mesh. */
  readonly publicAuthority: Authority;
  /** Further objects of Kubernetes, in every cluster. */
  readonly objects: readonly object[];
  /** With these, the control planes are those of a real API of Kubernetes in each cluster. @default Istio's discovery code alone */
  readonly kubernetes?: KubernetesTools;
  /** Names of the pods that run from the start. */
  readonly firstPods: readonly string[];
  readonly say: (line: string) => void;
}

/** Time between the removal of a pod from its Service and the end of its process, as in the manifests. */
const preStopMs = 5000;
/** Pods that start concurrently: each needs a second of a core or more. */
const startConcurrency = 4;

/** Clusters with real proxies around real processes. */
export class Lab {
  readonly options: LabOptions;
  readonly secretsFolder: string;
  readonly kubernetes: Kubernetes | undefined;
  readonly #controlPlanes: ReadonlyMap<string, ControlPlane>;
  /** Control planes of the next revision, by their cluster. */
  readonly #next = new Map<string, ControlPlane>();
  readonly #running = new Map<string, RunningPod>();
  readonly #leaving = new Set<string>();
  readonly #hosts = new Set<string>();

  constructor(options: LabOptions) {
    const { installation, folder, objects, firstPods } = options;
    this.options = options;
    this.secretsFolder = join(folder, 'identities');
    mkdirSync(join(folder, 'admin'), { recursive: true });
    prepareSockets(join(folder, 'admin'));
    const isReady = ({ name }: Pod) => firstPods.includes(name);
    const own = new Map(
      installation.clusters.map((cluster, at) => {
        const input = controlPlaneInput(installation, cluster, { objects, isReady });
        return [input.cluster, createControlPlane({ ...this.#placeOf(at), input })];
      }),
    );
    if (options.kubernetes === undefined) {
      this.#controlPlanes = own;
      return;
    }
    const root = { certificate: join(folder, 'authority/root-1.pem'), key: join(folder, 'authority/root-1.key') };
    const kubernetes = createKubernetes({ ...options, ...options.kubernetes, root, isReady, secrets: own });
    this.kubernetes = kubernetes;
    this.#controlPlanes = new Map([...own.keys()].map((cluster) => [cluster, kubernetes.istiod(cluster)]));
  }

  #placeOf(at: number) {
    const { binary, folder } = this.options;
    return { binary, folder, clusterIndex: at + 1, secretsFolder: this.secretsFolder };
  }

  /** Starts a second control plane beside the one of a cluster: pods that start later may join it. */
  async startNextRevision(cluster: string): Promise<ControlPlane> {
    const { installation, objects } = this.options;
    const at = installation.clusters.findIndex(({ manifests }) => manifests.cluster === cluster);
    const isReady = ({ name }: Pod) => this.#running.has(name);
    const input = controlPlaneInput(installation, this.#clusterOf(cluster), { objects, isReady });
    const next =
      this.kubernetes?.istiod(cluster, 'next') ?? createControlPlane({ ...this.#placeOf(at), input, revision: 'next' });
    await next.start();
    this.#next.set(cluster, next);
    return next;
  }

  /** Ends the second control plane of a cluster. */
  async endNextRevision(cluster: string): Promise<void> {
    const next = this.#next.get(cluster);
    this.#next.delete(cluster);
    await next?.kill();
  }

  /** Names of the clusters. */
  get clusterNames(): string[] {
    return [...this.#controlPlanes.keys()];
  }

  controlPlaneOf(cluster: string): ControlPlane {
    return found(this.#controlPlanes.get(cluster), `control plane of ${cluster}`);
  }

  /** Returns a pod that runs, or was killed. */
  runningPod(name: string): RunningPod {
    return found(this.#running.get(name), `running pod ${name}`);
  }

  /** Returns every pod that runs, or was killed. */
  runningPods(): RunningPod[] {
    return [...this.#running.values()];
  }

  /** Returns the names of the pods of a Deployment that run or were killed, in their order. */
  replicasOf(cluster: string, deployment: string): string[] {
    const pods = [...this.#running.values()].map(({ pod }) => pod);
    return pods
      .filter((pod) => pod.cluster === cluster && pod.deployment === deployment)
      .map(({ name }) => name)
      .sort();
  }

  /** Returns the first pod of a Deployment that runs. */
  firstOf(cluster: string, deployment: string): RunningPod {
    const [name] = this.replicasOf(cluster, deployment);
    return this.runningPod(found(name, `pod of ${deployment} in ${cluster}`));
  }

  /** Returns the name of a pod of a Deployment that does not run. */
  freePlace(cluster: string, deployment: string): string {
    const { pods } = this.#clusterOf(cluster);
    const free = pods.find(({ name, deployment: own }) => own === deployment && !this.#running.has(name));
    return found(free, `further place for a pod of ${deployment}`).name;
  }

  /** Returns the sidecars and gateways of a cluster; of all clusters by default. */
  sidecars(cluster?: string): Sidecar[] {
    const pods = [...this.#running.values()].filter(({ pod }) => cluster === undefined || pod.cluster === cluster);
    return pods.map(({ sidecar }) => sidecar);
  }

  /** Writes new certificates of every account of the manifests. */
  writeIdentities(): void {
    const { authority, installation, names } = this.options;
    const pods = installation.clusters.flatMap((cluster) => cluster.pods);
    const accounts = new Map(
      pods.map(({ namespace, account }): [string, Account] => [`${namespace}/${account}`, { namespace, account }]),
    );
    writeIdentities(authority, [...accounts.values()], names.trustDomain, this.secretsFolder);
  }

  /** Starts the control planes and the first pods, a few at a time. */
  async start(): Promise<void> {
    const { firstPods, say } = this.options;
    this.writeIdentities();
    await this.kubernetes?.start();
    await Promise.all([...this.#controlPlanes.values()].map((controlPlane) => controlPlane.start()));
    const queue = [...firstPods];
    let readyCount = 0;
    const starter = async () => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        await this.startPod(name);
        say(`  ${name} is ready (${++readyCount} of ${firstPods.length})`);
      }
    };
    await Promise.all(Array.from({ length: startConcurrency }, starter));
  }

  /**
   * Starts a pod: its host, its sidecar, then its service. Its Service lists it once it is ready. `controlPlane`: that which its sidecar joins.
   * @default that of the cluster
   */
  async startPod(name: string, controlPlane?: ControlPlane): Promise<void> {
    const { envoy, folder, installation } = this.options;
    const pod = found(
      installation.clusters.flatMap(({ pods }) => pods).find((each) => each.name === name),
      `pod ${name}`,
    );
    const cluster = this.#clusterOf(pod.cluster);
    if (!this.#hosts.has(name)) {
      this.#hosts.add(name);
      prepareHost(pod, cluster, installation.clusters.indexOf(cluster) + 1, this.#hosts.size, this.options);
    }
    const sidecar = startSidecar(envoy, pod, (controlPlane ?? this.controlPlaneOf(pod.cluster)).addresses, folder);
    const memory = pod.isGateway ? undefined : memoryLimitOf(name);
    const entry: RunningPod = { pod, sidecar, process: undefined, memory };
    this.#running.set(name, entry);
    await sidecar.ready();
    if (!pod.isGateway) {
      entry.process = startProcess(entry, cluster, this.options);
      await untilReady(entry, this.options);
    }
    await this.#publish(pod);
  }

  /** Kills the service of a pod. Its Service lists it still, as in a cluster until a probe has failed. */
  async killProcess(name: string): Promise<void> {
    await this.runningPod(name).process?.end('SIGKILL');
  }

  /** Starts the service of a pod again, in the same place. */
  async restartProcess(name: string): Promise<void> {
    const entry = this.runningPod(name);
    entry.process = startProcess(entry, this.#clusterOf(entry.pod.cluster), this.options);
    await untilReady(entry, this.options);
  }

  /** Kills a pod with its sidecar, as a machine that fails. Its Service lists it still. */
  async killPod(name: string): Promise<void> {
    const { process: service, sidecar } = this.runningPod(name);
    await Promise.all([service?.end('SIGKILL'), sidecar.process.end('SIGKILL')]);
  }

  /** Replaces a pod as a rolling update does: the new one is ready before the old one leaves, whose calls then end by themselves. */
  async replace(oldName: string, newName: string, controlPlane?: ControlPlane): Promise<void> {
    await this.startPod(newName, controlPlane);
    await this.remove(oldName);
  }

  /** Removes a pod as Kubernetes does: it gets no new calls, and those in flight end by themselves. */
  async remove(oldName: string): Promise<void> {
    const { pod, process: service, sidecar } = this.runningPod(oldName);
    this.#leaving.add(oldName);
    await this.#publish(pod);
    await sidecar.drain();
    await new Promise((resolve) => setTimeout(resolve, preStopMs));
    await service?.end('SIGTERM');
    // Istio's agent ends the sidecar when its last connection has ended; the service has ended all of them.
    await sidecar.process.end('SIGTERM');
    this.#running.delete(oldName);
    this.#leaving.delete(oldName);
    await this.#publish(pod);
  }

  #clusterOf(name: string): Cluster {
    const { clusters } = this.options.installation;
    return found(
      clusters.find(({ manifests }) => manifests.cluster === name),
      `cluster ${name}`,
    );
  }

  /** Lists the pods of every Service that selects a pod. */
  async #publish(pod: Pod): Promise<void> {
    const { places, pods } = this.#clusterOf(pod.cluster);
    for (const place of places) {
      const selected = podsOf(place.service, pods);
      if (!selected.includes(pod)) continue;
      const present = selected.filter(({ name, isGateway }) => {
        const entry = this.#running.get(name);
        return entry !== undefined && (isGateway || entry.process?.isRunning() === true);
      });
      const slice = endpointSlice(place, present, this.#leaving);
      await this.controlPlaneOf(pod.cluster).putEndpoints(slice);
      await this.#next.get(pod.cluster)?.putEndpoints(slice);
    }
  }
}

function found<T>(value: T | undefined, title: string): T {
  if (value === undefined) throw new Error(`the lab has no ${title}`);
  return value;
}
