import type { Installation as Names } from '../../model/installation.ts';
import { kubernetesObjects, podObject } from '../cluster/kubernetes.ts';
import type { Cluster, Pod } from '../cluster/pods.ts';
import type { ApiClient } from './api-client.ts';

/** What was applied to the API of a cluster. */
export interface Applied {
  readonly count: number;
  /** Kinds that the API does not serve, because the machine has no definition of them. */
  readonly unserved: readonly string[];
}

/**
 * Applies what an installation applies to a cluster, and what its controllers would add: pods, endpoints, addresses. The pods are those of the
 * Deployments, so admission sees them as in a cluster. Throws at the first object that the API refuses.
 */
export async function applyCluster(
  client: ApiClient,
  cluster: Cluster,
  {
    definitions,
    objects,
    isReady,
    names,
  }: { definitions: readonly object[]; objects: readonly object[]; isReady: (pod: Pod) => boolean; names: Names },
): Promise<Applied> {
  await Promise.all(definitions.map((definition) => client.apply(definition)));
  await Promise.all(definitions.flatMap(kindsOf).map((kind) => untilServed(client, kind)));
  const added = kubernetesObjects(cluster, names.rootNamespace, isReady) as Kind[];
  const isPod = ({ kind }: Kind) => kind === 'Pod';
  const titleOf = ({ apiVersion, kind, metadata }: Kind) =>
    `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
  // A Service with its address, a Namespace with its network: more than what is in the manifests.
  const completed = new Set(added.map(titleOf));
  const all = [
    ...added.filter(({ kind }) => kind === 'Namespace'),
    // That of the operators whose objects the components bring.
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: names.monitoringNamespace } },
    ...(cluster.manifests.objects as unknown as Kind[]).filter((object) => !completed.has(titleOf(object))),
    ...(objects as Kind[]),
    ...added.filter((object) => !isPod(object)),
  ];
  const unserved = new Set<string>();
  let count = definitions.length;
  const put = async (object: Kind) => {
    if (!(await client.serves(object))) return void unserved.add(`${object.apiVersion} ${object.kind}`);
    const { status, ...rest } = object as Kind & { status?: object };
    await client.apply(rest);
    // An apply of the object itself drops its status.
    if (status !== undefined) await client.apply(statusOf(object, status), 'status');
    count++;
  };
  const isFirst = ({ kind }: Kind) => kind === 'Namespace' || kind === 'ServiceAccount';
  for (const kind of ['Namespace', 'ServiceAccount'])
    await Promise.all(all.filter((each) => each.kind === kind).map(put));
  await Promise.all(all.filter((object) => !isFirst(object)).map(put));
  await Promise.all(cluster.pods.map((pod) => put(wholePod(pod))));
  return { count, unserved: [...unserved] };
}

interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

/** Returns the kinds that a definition makes the API serve. */
function kindsOf(definition: object): Pick<Kind, 'apiVersion' | 'kind'>[] {
  const { group, names, versions } = (definition as Definition).spec;
  const served = versions.filter((version) => version.served);
  return served.map(({ name }) => ({ apiVersion: `${group}/${name}`, kind: names.kind }));
}

/** Time for the API to serve a kind after its definition was applied, in milliseconds. */
const definitionTimeoutMs = 60_000;

async function untilServed(client: ApiClient, kind: Pick<Kind, 'apiVersion' | 'kind'>): Promise<void> {
  const deadline = performance.now() + definitionTimeoutMs;
  while (!(await client.serves(kind))) {
    if (performance.now() > deadline) throw new Error(`the API does not serve ${kind.apiVersion} ${kind.kind}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Returns a pod as its Deployment makes it, on a node and running. */
function wholePod(pod: Pod): Kind {
  const { metadata, status } = podObject(pod) as { metadata: Kind['metadata']; status: object };
  const spec = { ...pod.spec, nodeName: `${pod.cluster}-a` };
  return { apiVersion: 'v1', kind: 'Pod', metadata, ...{ spec, status } };
}

function statusOf({ apiVersion, kind, metadata: { name, namespace } }: Kind, status: object): object {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) }, status };
}
