import { describe, expect, test } from 'vitest';
import { mayRepeat, policyOf } from '#kit/rpc/policy.ts';
import { services } from '../../run.ts';
import { principalOf } from '../model/installation.ts';
import { createModel, topologies } from '../model/model.ts';
import { folder, renderFiles } from '../render/files.ts';
import type { KubeObject } from '../render/objects.ts';
import { graceSecondsOf } from '../render/workload/deployment.ts';
import { at, listAt } from './cluster.ts';
import { createCompose } from './compose.ts';

const compose = createCompose(renderFiles(services));
const methods = services.flatMap(({ contracts }) => contracts.flatMap((contract) => contract.methods));
const methodOf = (path: string) => methods.find((method) => `/${method.parent.typeName}/${method.name}` === path);

interface Route {
  readonly name: string;
  readonly match?: readonly { readonly uri: { readonly exact: string } }[];
  readonly timeout?: string;
  readonly retries?: { readonly attempts: number };
}

interface AllowRule {
  readonly from: readonly { readonly source: { readonly principals: readonly string[] } }[];
  readonly to: readonly {
    readonly operation: { readonly ports: readonly string[]; readonly paths?: readonly string[] };
  }[];
}

describe.each(topologies)('the manifests of the topology %s', (topology) => {
  const model = createModel(services, topology);
  const objects = compose(`${folder}/topologies/${topology}`);
  const of = (kind: string) =>
    objects.filter((object) => object.kind === kind && object.metadata?.namespace === 'ragmesh');
  const named = (kind: string, name: string) => of(kind).find(({ metadata }) => metadata?.name === name);
  const routes = of('VirtualService').flatMap(({ spec }) => listAt<Route>(spec, 'http'));
  const rpcRoutes = routes.flatMap((route) => route.match?.map(({ uri }) => ({ ...route, path: uri.exact })) ?? []);

  test('allow every call of the matrix by exactly one rule, and no other call', () => {
    const allowed = of('AuthorizationPolicy').flatMap(({ spec, metadata }) =>
      listAt<AllowRule>(spec, 'rules').flatMap(({ from, to }) =>
        from.flatMap(({ source }) =>
          source.principals.flatMap((principal) =>
            to.flatMap(({ operation }) =>
              (operation.paths ?? []).map((path) => `${principal} ${metadata?.name} ${path}`),
            ),
          ),
        ),
      ),
    );
    const wanted = model.calls.map(({ from, to, rpc }) => `${principalOf(from, model.installation)} ${to} ${rpc.path}`);
    expect(allowed.sort()).toEqual(wanted.sort());
  });

  test('route every rpc that is called by exactly one route', () => {
    const called = [...new Set(model.calls.map(({ rpc }) => rpc.path))];
    expect(rpcRoutes.map(({ path }) => path).sort()).toEqual(called.sort());
  });

  test('say for every route how often it retries, and retry only what may be repeated', () => {
    expect(routes.filter(({ retries }) => retries === undefined)).toEqual([]);
    const retried = rpcRoutes.filter(({ retries }) => (retries?.attempts ?? 0) > 0);
    expect(retried.length).toBeGreaterThan(0);
    for (const { path, retries } of retried) {
      const method = methodOf(path);
      expect(method !== undefined && mayRepeat(method), path).toBe(true);
      expect(retries?.attempts, path).toBe(method && policyOf(method).maxAttempts - 1);
    }
    const others = routes.filter(({ match }) => match === undefined);
    expect(others.every(({ retries }) => retries?.attempts === 0)).toBe(true);
  });

  test('set no timeout on a stream, and on all else that of the contract, which covers all attempts', () => {
    for (const { path, timeout } of rpcRoutes) {
      const method = methodOf(path);
      if (method === undefined) throw new Error(`no rpc ${path}`);
      const wantedMs = method.methodKind === 'unary' ? policyOf(method).timeoutMs : undefined;
      expect(timeout === undefined ? undefined : toMs(timeout), path).toBe(wantedMs);
    }
    expect(JSON.stringify(objects)).not.toContain('perTryTimeout');
  });

  test('give an rpc that is tried again no more time than a caller has', () => {
    for (const { from, rpc } of model.calls.filter(
      ({ rpc: { isStream, retryCount } }) => retryCount > 0 && !isStream,
    )) {
      const caller = model.workloads.find(({ name }) => name === from);
      const longest = Math.max(...(caller?.rpcs ?? []).map(({ timeoutMs }) => timeoutMs || Number.POSITIVE_INFINITY));
      // The timeout of a route covers all attempts. A workload without rpcs of its own is the entry, whose clients set the time.
      if (caller?.rpcs.length) expect(rpc.timeoutMs, `${from} calls ${rpc.name}`).toBeLessThanOrEqual(longest);
    }
  });

  test('stop no replica before its streams have had their time', () => {
    for (const workload of model.workloads) {
      const deployment = named('Deployment', workload.name);
      const graceMs = Number(at(deployment?.spec, 'template', 'spec', 'terminationGracePeriodSeconds')) * 1000;
      const bounded = workload.rpcs
        .map(({ timeoutMs }) => timeoutMs)
        .filter((timeoutMs) => timeoutMs > 0 && timeoutMs <= 600_000);
      expect(graceMs, workload.name).toBeGreaterThan(Math.max(0, ...bounded));
      expect(graceMs, workload.name).toBe(graceSecondsOf(workload) * 1000);
      expect(graceMs, workload.name).toBeGreaterThan(workload.drainMs);
    }
  });

  test('let a drained node take a replica only if others remain, and never scale below two without saying so', () => {
    for (const { name, replicas } of model.workloads) {
      const budget = named('PodDisruptionBudget', name);
      expect(at(budget?.spec, 'maxUnavailable'), name).toBe(1);
      const scaler = named('HorizontalPodAutoscaler', name);
      const deployment = named('Deployment', name);
      if (replicas.min === replicas.max) {
        expect(scaler, name).toBeUndefined();
        expect(at(deployment?.spec, 'replicas'), name).toBe(replicas.min);
      } else {
        expect(at(scaler?.spec, 'minReplicas'), name).toBeGreaterThanOrEqual(2);
        // Two writers of one number would fight.
        expect(at(deployment?.spec, 'replicas'), name).toBeUndefined();
      }
    }
  });

  test('run every process without rights: not root, nothing writable but its volumes, no capabilities, bounded memory', () => {
    for (const { spec, metadata } of of('Deployment')) {
      const pod = at(spec, 'template', 'spec');
      expect(at(pod, 'securityContext', 'runAsNonRoot'), metadata?.name).toBe(true);
      expect(at(pod, 'automountServiceAccountToken'), metadata?.name).toBe(false);
      for (const container of listAt<Container>(pod, 'containers')) {
        expect(container.securityContext, metadata?.name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory).toBe(container.resources.requests.memory);
        const names = [container.startupProbe, container.readinessProbe, container.livenessProbe].map(
          ({ grpc }) => grpc.service,
        );
        expect(names).toEqual(['liveness', '', 'liveness']);
      }
    }
  });

  test('open the same ways to packets as to calls', () => {
    for (const { name } of model.workloads) {
      const callees = [...new Set(model.calls.filter(({ from }) => from === name).map(({ to }) => to))];
      const egress = listAt<PacketRule>(named('NetworkPolicy', name)?.spec, 'egress');
      const reached = egress.flatMap(({ to = [] }) =>
        to.flatMap(({ podSelector }) => podSelector?.matchExpressions?.[0]?.values ?? []),
      );
      expect(reached.sort(), name).toEqual(callees.sort());
    }
  });

  test('show a sidecar no host but those that its workload calls', () => {
    for (const { name } of model.workloads) {
      const hosts = listAt<{ hosts: string[] }>(named('Sidecar', name)?.spec, 'egress').flatMap((one) => one.hosts);
      const callees = [
        ...new Set(
          model.calls.filter(({ from }) => from === name).map(({ to }) => `./${to}.ragmesh.svc.cluster.local`),
        ),
      ];
      expect(hosts.filter((host) => host.startsWith('./')).sort(), name).toEqual(callees.sort());
    }
  });
});

interface PacketRule {
  readonly to?: readonly {
    readonly namespaceSelector?: object;
    readonly podSelector?: { readonly matchExpressions?: readonly { readonly values: readonly string[] }[] };
  }[];
}

interface Probe {
  readonly grpc: { readonly service: string };
}

interface Container {
  readonly securityContext: object;
  readonly resources: { readonly limits: { readonly memory: string }; readonly requests: { readonly memory: string } };
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
}

function toMs(duration: string): number {
  return duration.endsWith('ms') ? Number(duration.slice(0, -2)) : Number(duration.slice(0, -1)) * 1000;
}

describe('two regions', () => {
  const overlay = (name: string): KubeObject[] => compose(`${folder}/overlays/region-${name}`);

  test('pass only hosts of workloads without state between each other, by name', () => {
    const gateways = overlay('eu').filter(
      ({ kind, metadata }) => kind === 'Gateway' && metadata?.name === 'between-regions',
    );
    const hosts = gateways.flatMap(({ spec }) =>
      listAt<{ hosts: string[] }>(spec, 'servers').flatMap((server) => server.hosts),
    );
    expect(hosts).toEqual(['embedding.ragmesh.svc.cluster.local', 'rerank.ragmesh.svc.cluster.local']);
    expect(hosts.join()).not.toContain('*');
  });

  test('refuse tenants that are bound to the other one, at every workload behind the edge', () => {
    const [policy] = overlay('eu').filter(({ metadata }) => metadata?.name === 'bound-tenants');
    expect(at(policy?.spec, 'action')).toBe('DENY');
    expect(JSON.stringify(policy?.spec)).toContain('"values":["demo-cn"]');
    const pods = overlay('eu').filter(
      ({ kind, metadata }) => kind === 'Deployment' && metadata?.namespace === 'ragmesh',
    );
    const open = pods.filter(({ spec }) => at(spec, 'template', 'metadata', 'labels', 'mesh-token') !== 'required');
    expect(open.map(({ metadata }) => metadata?.name)).toEqual(['edge']);
  });

  test('reach different providers', () => {
    const hosts = (name: string) =>
      overlay(name)
        .filter(({ kind, metadata }) => kind === 'ServiceEntry' && metadata?.namespace === 'istio-egress')
        .flatMap(({ spec }) => listAt<string>(spec, 'hosts'));
    expect(hosts('cn')).toEqual(['dashscope.aliyuncs.com', 'ark.cn-beijing.volces.com']);
    expect(hosts('eu')).toEqual(['api.anthropic.com', 'api.openai.com']);
  });
});
