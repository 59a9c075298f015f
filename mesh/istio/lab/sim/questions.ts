import { hostOf } from '../../model/installation.ts';
import type { Model } from '../../model/model.ts';
import { providers } from '../../model/regions.ts';
import type { Rpc } from '../../model/rpc.ts';
import { egressPorts } from '../../render/mesh/egress.ts';
import { localityLabels, networkLabels } from '../cluster/kubernetes.ts';
import type { Cluster, Pod } from '../cluster/pods.ts';

/** A proxy, see simulate_test.go. */
export interface Proxy {
  readonly name: string;
  readonly type: 'sidecar' | 'router';
  readonly namespace: string;
  readonly account: string;
  readonly cluster: string;
  readonly region: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A call of a process behind a sidecar, with TLS of its own if there is an `sni`, or one that arrives at a gateway with that name. */
export interface Call {
  readonly proxy: string;
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly sni?: string;
  /** Whether a client outside of the mesh sends it. */
  readonly isPublic?: boolean;
}

/** A call of one workload to another one that is asked about, allowed or not. */
export interface RpcQuestion {
  readonly from: string;
  readonly to: string;
  readonly rpc: Rpc;
  readonly call: Call;
}

/** A call of a workload, or of the egress gateway, to a host outside. */
export interface OutsideQuestion {
  readonly from: string;
  readonly host: string;
  readonly call: Call;
}

/** Address of a host outside: the mesh goes by the name alone. */
const outside = '203.0.113.80';

/** A host that no component opens. */
export const unlistedHost = 'unlisted.example.org';

/** Returns the proxy of a pod. */
export function proxyOf({ name, namespace, account, cluster, address, labels, isGateway }: Pod): Proxy {
  return {
    name,
    type: isGateway ? 'router' : 'sidecar',
    namespace,
    account,
    cluster,
    region: cluster,
    address,
    labels: { ...labels, ...networkLabels(cluster, isGateway), ...localityLabels(cluster) },
  };
}

/** Returns every rpc of every workload, called by every workload, itself included. */
export function rpcQuestions(model: Model, { pods, places }: Cluster): RpcQuestion[] {
  const { namespace, ports } = model.installation;
  const callers = firstPods(pods, namespace);
  return model.workloads.flatMap((to) => {
    const place = places.find(
      ({ service: { metadata } }) => metadata.name === to.name && metadata.namespace === namespace,
    );
    if (place === undefined) throw new Error(`the manifests have no Service ${to.name}`);
    const host = `${hostOf(to.name, model.installation)}:${ports.grpc}`;
    return callers.flatMap(({ name, deployment }) =>
      to.rpcs.map((rpc) => ({
        from: deployment,
        to: to.name,
        rpc,
        call: { proxy: name, address: place.address, port: ports.grpc, host, path: rpc.path },
      })),
    );
  });
}

/** Returns calls of every workload to every provider of the project and to a host that is not listed, and those of the egress gateway. */
export function outsideQuestions(model: Model, { pods }: Cluster): OutsideQuestion[] {
  const { namespace, gateways } = model.installation;
  const hosts = [...providers.map(({ host }) => host), unlistedHost];
  const at = { address: outside, path: '/' };
  const gateway = pods.find(({ deployment }) => deployment === gateways.egress.name);
  return hosts.flatMap((host) => [
    ...firstPods(pods, namespace).map(({ name, deployment }) => ({
      from: deployment,
      host,
      call: { ...at, proxy: name, port: 80, host },
    })),
    ...firstPods(pods, namespace).map(({ name, deployment }) => ({
      from: deployment,
      host: `${host}, by TLS of its own`,
      call: { ...at, proxy: name, port: 443, host: `${host}:443`, sni: host },
    })),
    ...(gateway === undefined
      ? []
      : [
          {
            from: gateway.deployment,
            host,
            call: { ...at, proxy: gateway.name, port: egressPorts.pod, host, sni: host },
          },
        ]),
  ]);
}

/** A call of a client outside of the mesh to the ingress gateway. */
export interface PublicQuestion {
  readonly host: string;
  readonly call: Call;
}

/** Port of the pods of the ingress gateway for TLS, and the port that clients call. */
const publicPorts = [8443, 443];

/** Returns calls of clients to the ingress gateway, for the public name and for another one, on the port of its pods and on that of its Service. */
export function publicQuestions({ installation }: Model, { pods }: Cluster): PublicQuestion[] {
  const gateway = pods.find(({ deployment }) => deployment === installation.gateways.ingress.name);
  if (gateway === undefined) return [];
  return [installation.publicHost, unlistedHost].flatMap((host) =>
    publicPorts.map((port) => ({
      host,
      call: { proxy: gateway.name, address: outside, port, host, path: `/public/${port}`, sni: host, isPublic: true },
    })),
  );
}

function firstPods(pods: readonly Pod[], namespace: string): Pod[] {
  const first = new Map(pods.filter((pod) => pod.namespace === namespace).map((pod) => [pod.deployment, pod]));
  return [...first.values()];
}
