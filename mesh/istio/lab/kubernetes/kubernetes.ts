import { join } from 'node:path';
import type { Installation as Names } from '../../model/installation.ts';
import type { Installation } from '../cluster/installation.ts';
import type { Pod } from '../cluster/pods.ts';
import type { ControlPlane } from '../run/control-plane.ts';
import { createApiServer } from './api-server.ts';
import { applyCluster } from './apply.ts';
import { createIstiod, writeAuthority } from './istiod.ts';

/** The programs and definitions of {@link createKubernetes}. */
export interface KubernetesTools {
  /** The program of go-kube. */
  readonly binary: string;
  /** Definitions of custom resources. */
  readonly definitions: readonly object[];
}

/** API servers and istiods in the place of the discovery code alone. */
export interface Kubernetes {
  /** What each cluster has accepted, and the kinds that it does not know. */
  readonly applied: ReadonlyMap<string, { readonly count: number; readonly unserved: readonly string[] }>;
  /** Starts the API of each cluster, applies the installation, and gives each control plane the API of the others. */
  start(): Promise<void>;
  /** Returns an istiod of a cluster; it is not started yet. */
  istiod(cluster: string, revision?: string): ControlPlane;
  /** Returns what the API of a cluster says if it refuses an object; `undefined` if it would take it. Changes nothing. */
  refusal(cluster: string, object: object): Promise<string | undefined>;
  /** Whether the API of a cluster knows the kind of an object. */
  serves(cluster: string, object: { readonly apiVersion: string; readonly kind: string }): Promise<boolean>;
}

/** What {@link createKubernetes} runs. */
export interface KubernetesOptions extends KubernetesTools {
  readonly installation: Installation;
  readonly names: Names;
  readonly folder: string;
  /** What gives the proxies of each cluster their certificates. */
  readonly secrets: ReadonlyMap<string, ControlPlane>;
  /** Root certificate of the mesh and its key: paths. */
  readonly root: { readonly certificate: string; readonly key: string };
  /** Further objects, in every cluster. */
  readonly objects: readonly object[];
  isReady(pod: Pod): boolean;
  readonly say: (line: string) => void;
}

/** Creates the APIs and control planes of an installation. */
export function createKubernetes(options: KubernetesOptions): Kubernetes {
  const { binary, installation, names, folder, secrets, root, say } = options;
  const authorityFolder = join(folder, 'istiod-authority');
  const apis = new Map(
    installation.clusters.map(({ manifests: { cluster } }, at) => [
      cluster,
      createApiServer(binary, at + 1, join(folder, `api-${cluster}`)),
    ]),
  );
  const apiOf = (cluster: string) => found(apis.get(cluster), cluster);
  const applied = new Map<string, { count: number; unserved: readonly string[] }>();
  return {
    applied,
    async start() {
      writeAuthority(authorityFolder, root.certificate, root.key);
      await Promise.all([...apis.values(), ...secrets.values()].map((each) => each.start()));
      for (const cluster of installation.clusters) {
        const { cluster: name } = cluster.manifests;
        const others = [...apis].filter(([other]) => other !== name);
        const objects = [
          ...options.objects,
          ...others.map(([other, api]) => remoteSecret(other, api.kubeconfig(), names)),
        ];
        const result = await applyCluster(apiOf(name).client, cluster, { ...options, objects });
        applied.set(name, result);
        say(`  the API of ${name} has accepted ${result.count} objects`);
      }
    },
    istiod: (cluster, revision) =>
      createIstiod({
        binary,
        folder,
        cluster,
        authorityFolder,
        api: apiOf(cluster),
        secrets: found(secrets.get(cluster), cluster),
        clusterIndex: [...apis.keys()].indexOf(cluster) + 1,
        meshConfig: installation.meshConfigs.get(cluster) ?? '',
        ...(revision !== undefined && { revision }),
      }),
    serves: (cluster, object) => apiOf(cluster).client.serves(object),
    refusal: (cluster, object) =>
      apiOf(cluster)
        .client.tryApply(object)
        .then(
          () => undefined,
          (error: Error) => error.message,
        ),
  };
}

/** Returns the Secret by which the control plane of one cluster reads the API of another one. */
function remoteSecret(cluster: string, kubeconfig: string, { rootNamespace }: Names): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `istio-remote-secret-${cluster}`,
      namespace: rootNamespace,
      labels: { 'istio/multiCluster': 'true' },
      annotations: { 'networking.istio.io/cluster': cluster },
    },
    data: { [cluster]: Buffer.from(kubeconfig).toString('base64') },
  };
}

function found<T>(value: T | undefined, cluster: string): T {
  if (value === undefined) throw new Error(`the lab has no cluster ${cluster}`);
  return value;
}
