import type { PacketRules, Passage } from '../cluster/packets.ts';

/**
 * Returns the rules of a host that do what the network plugin of a cluster does for its pods: drop every connection that no network policy allows, as
 * it comes from outside of the host or leaves it, so before the capture by a sidecar and after it. As in Kubernetes, the node itself (`nodes`:
 * the lab's addresses, for probes, certificates and the control plane) reaches its pods.
 */
export function packetFilter({ ingress, egress }: PacketRules, nodes: readonly string[]): string {
  const lines = [
    ...direction('PREROUTING', '-i eth+', '-s', ingress, nodes),
    ...direction('POSTROUTING', '-o eth+', '-d', egress, nodes),
  ];
  const chains = lines.flatMap((line) => /^-A (except-\S+)/.exec(line)?.[1] ?? []);
  return ['*mangle', ...[...new Set(chains)].map((chain) => `:${chain} - [0:0]`), ...lines, 'COMMIT\n'].join('\n');
}

function direction(
  chain: string,
  device: string,
  side: '-s' | '-d',
  passages: readonly Passage[] | undefined,
  nodes: readonly string[],
): string[] {
  if (passages === undefined) return [];
  const rule = `-A ${chain} ${device} -p tcp`;
  return [
    `${rule} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
    ...nodes.map((node) => `${rule} ${side} ${node} -j ACCEPT`),
    ...passages.flatMap(({ range, except, port }, at) => {
      const match = `${rule} ${side} ${range} --dport ${port}`;
      if (except.length === 0) return [`${match} -j ACCEPT`];
      const own = `except-${chain.slice(0, 3)}-${at}`;
      return [
        ...except.map((each) => `-A ${own} ${side} ${each} -j RETURN`),
        `-A ${own} -j ACCEPT`,
        `${match} -j ${own}`,
      ];
    }),
    `${rule} -j DROP`,
  ];
}
