import { startPodClient } from '../../clients/pod-client.ts';
import type { Pod } from '../../cluster/pods.ts';
import { outside, sidecarUser } from '../../run/network.ts';
import { refuse, type Scenario, type Scene } from '../scenario.ts';

interface Target {
  readonly title: string;
  readonly address: string;
  readonly port: number;
  /** Whether a pod of a Deployment may connect. */
  isOpenFor(from: string): boolean;
}

/**
 * Connections from every pod to every other one and to the outside, by the user of the sidecar, whose packets nothing captures: what network
 * policies alone stop. The matrix of calls says what must pass.
 */
export const packets: Scenario = {
  name: 'past its sidecar, a pod connects to exactly the pods, ports and addresses that it needs',
  async run(scene) {
    const { lab, home } = scene;
    const { workloads } = lab.options.model;
    const gateways = Object.values(lab.options.names.gateways)
      .map(({ name }) => name)
      .filter((name) => lab.replicasOf(home, name).length > 0);
    const pods = [...workloads.map(({ name }) => name), ...gateways].map((name) => lab.firstOf(home, name).pod);
    const targets = targetsOf(scene, pods);
    const problems: string[] = [];
    const counts = { open: 0, dropped: 0 };
    const check = async (pod: Pod) => {
      const others = targets.filter(({ address }) => address !== pod.address);
      const client = startPodClient(pod.name, sidecarUser);
      const found = await client.connect({ targets: others.map(({ address, port }) => ({ address, port })) });
      client.close();
      for (const [at, { title, port, isOpenFor }] of others.entries()) {
        const isOpen = found[at] !== 'silent';
        counts[isOpen ? 'open' : 'dropped']++;
        if (isOpen !== isOpenFor(pod.deployment)) problems.push(`${pod.deployment} to ${title}:${port}: ${found[at]}`);
      }
    };
    await Promise.all(pods.map(check));
    refuse(problems);
    return `${counts.open} connections pass, ${counts.dropped} are dropped`;
  },
};

function targetsOf({ lab }: Scene, pods: readonly Pod[]): Target[] {
  const { model, names } = lab.options;
  const { gateways, ports } = names;
  const calls = (from: string, to: string) => model.calls.some((call) => call.from === from && call.to === to);
  const workload = (name: string) => model.workloads.find((each) => each.name === name);
  const callsShared = (from: string) => model.workloads.some(({ name, failsOver }) => failsOver && calls(from, name));
  const never = () => false;
  const inside = pods.flatMap(({ deployment: to, address }): Target[] => {
    const at = { title: to, address };
    if (to === gateways.eastWest.name) return [{ ...at, port: 15443, isOpenFor: callsShared }];
    if (to === gateways.egress.name)
      return [{ ...at, port: 8443, isOpenFor: (from) => workload(from)?.callsProviders === true }];
    if (to === gateways.ingress.name) return [{ ...at, port: 8443, isOpenFor: never }];
    const isEntry = workload(to)?.isEntry === true;
    const isShared = workload(to)?.failsOver === true;
    return [
      {
        ...at,
        port: ports.grpc,
        isOpenFor: (from) => calls(from, to) || (isShared && from === gateways.eastWest.name),
      },
      { ...at, port: ports.edge, isOpenFor: (from) => isEntry && from === gateways.ingress.name },
      ...[ports.admin, 15006, 15020].map((port) => ({ ...at, port, isOpenFor: never })),
    ];
  });
  const isEgress = (from: string) => from === gateways.egress.name;
  const has = (store: 'postgres' | 'redis') => (from: string) => workload(from)?.stores.includes(store) === true;
  return [
    ...inside,
    { title: 'PostgreSQL', address: outside.postgres, port: 5432, isOpenFor: has('postgres') },
    { title: 'Redis', address: outside.redis, port: 6379, isOpenFor: has('redis') },
    { title: 'a provider', address: outside.provider, port: 443, isOpenFor: isEgress },
    { title: 'a provider', address: outside.provider, port: 80, isOpenFor: never },
    { title: 'another host', address: outside.unlisted, port: 8080, isOpenFor: never },
  ];
}
