import type { KubeObject } from '../../render/objects.ts';
import { at, type Cluster, hasLabels, type Labels, listAt, placeOf, titleOf } from '../cluster.ts';
import type { Rule } from './rule.ts';

interface Destination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number: number };
}

interface Subset {
  readonly name: string;
  readonly labels?: Labels;
  readonly trafficPolicy?: unknown;
}

/** KIA0207: under STRICT a call without the mesh's own certificates is refused. */
export const tlsModes: Rule = {
  name: 'calls to workloads of the mesh use the certificates of the mesh',
  find: (cluster) =>
    cluster
      .of('DestinationRule')
      .filter(({ spec }) => isMeshHost(String(at(spec, 'host'))))
      .flatMap((rule) =>
        policiesOf(rule)
          .map((policy) => at(policy, 'tls', 'mode'))
          .filter((mode) => mode !== undefined && mode !== 'ISTIO_MUTUAL')
          .map((mode) => `${titleOf(rule)} has tls.mode ${String(mode)}, and the mesh is STRICT`),
      )
      .concat(
        cluster
          .of('PeerAuthentication')
          .filter(({ spec }) => at(spec, 'mtls', 'mode') !== 'STRICT')
          .map((policy) => `${titleOf(policy)} is not STRICT`),
      ),
};

function isMeshHost(host: string): boolean {
  return host.endsWith('.svc.cluster.local');
}

/** Returns all traffic policies of a DestinationRule: of the host, of ports, of subsets. */
function policiesOf({ spec }: KubeObject): unknown[] {
  const own = [at(spec, 'trafficPolicy'), ...listAt<Subset>(spec, 'subsets').map(({ trafficPolicy }) => trafficPolicy)];
  return own.flatMap((policy) => [policy, ...listAt<unknown>(policy, 'portLevelSettings')]);
}

/** KIA1101, KIA1107: a route to a host, a port or a subset that does not exist is an error at run time. */
export const destinations: Rule = {
  name: 'every route leads to a host, a port and a subset that exist',
  find: (cluster) =>
    cluster
      .of('VirtualService')
      .flatMap((service) =>
        listAt<{ name?: string }>(service.spec, 'http').flatMap((route) =>
          listAt<{ destination: Destination }>(route, 'route').flatMap(({ destination }) =>
            problemsOf(destination, cluster).map((problem) => `${titleOf(service)}, route ${route.name}: ${problem}`),
          ),
        ),
      ),
};

function problemsOf({ host, port, subset }: Destination, cluster: Cluster): string[] {
  const ports = cluster.hosts.get(host);
  if (ports === undefined) return [`no host ${host}`];
  if (port !== undefined && !ports.includes(port.number)) return [`${host} has no port ${port.number}`];
  const names = cluster
    .of('DestinationRule')
    .filter(({ spec }) => at(spec, 'host') === host)
    .flatMap(({ spec }) => listAt<Subset>(spec, 'subsets').map(({ name }) => name));
  return subset === undefined || names.includes(subset) ? [] : [`${host} has no subset ${subset}`];
}

/** KIA0202, KIA0203: a rule for a host that does not exist, or a subset whose labels no pod has. */
export const subsets: Rule = {
  name: 'every DestinationRule and every subset is of pods that exist',
  find: (cluster) =>
    cluster.of('DestinationRule').flatMap((rule) => {
      const host = String(at(rule.spec, 'host'));
      if (!cluster.hosts.has(host)) return [`${titleOf(rule)} is for ${host}, which does not exist`];
      const { namespace } = placeOf(rule);
      return listAt<Subset>(rule.spec, 'subsets')
        .filter(
          ({ labels = {} }) =>
            !cluster.pods.some((pod) => pod.namespace === namespace && hasLabels(labels, pod.labels)),
        )
        .map(({ name }) => `${titleOf(rule)}, subset ${name}: no pod has its labels`);
    }),
};
