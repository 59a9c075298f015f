import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { podNetwork } from '../cluster/pods.ts';
import { removeMemoryLimits } from './memory.ts';

// Hosts of the lab as network namespaces. The lab itself runs in one, which has a bridge for each cluster and the addresses of everything
// outside of the mesh: nothing reaches the network of the machine.

/** First part of the name of every namespace. */
const prefix = 'ragmesh-lab-';

/** Namespace in which the lab itself runs. */
export const ownNamespace = `${prefix}outside`;

/** Users of processes: that of the sidecar is Istio's, whose packets are not captured again. */
export const sidecarUser = 1337;

/** Addresses outside of the mesh, on the lab's own loopback. Those of stores are the ones in `components/stores-external`. */
export const outside = {
  postgres: '192.0.2.10',
  redis: '192.0.2.20',
  provider: '203.0.113.80',
  unlisted: '203.0.113.81',
};

/** Address of the lab in the network of a cluster: control plane, clients, and the way to {@link outside}. */
export const labAddress = (clusterIndex: number): string => `${podNetwork(clusterIndex)}.254`;

/** A leg of a host: an address in the network of a cluster. */
export interface Leg {
  readonly clusterIndex: number;
  readonly address: string;
}

/** Makes the network: the bridges, and the addresses outside. Runs inside of {@link ownNamespace}. */
export function createNetwork(clusterIndexes: readonly number[]): void {
  batch([
    'link set lo up',
    ...Object.values(outside).map((address) => `address add ${address}/32 dev lo`),
    ...clusterIndexes.flatMap((index) => [
      `link add br${index} type bridge`,
      `address add ${labAddress(index)}/24 dev br${index}`,
      `link set br${index} up`,
    ]),
  ]);
}

/** A host of the lab. */
export interface Host {
  readonly name: string;
  /** Number that no other host has. */
  readonly number: number;
  /** Its addresses; the way to everywhere else is through the network of the first. */
  readonly legs: readonly Leg[];
  /** Names that its processes know, with their addresses. */
  readonly names: ReadonlyMap<string, string>;
  /** Whether its TCP connections pass through a sidecar. */
  readonly isCaptured: boolean;
  /** Rules of packets beside those of the capture, as `iptables-restore` reads them. */
  readonly filter: string;
}

/** Makes a host. */
export function addHost({ name, number, legs, names, isCaptured, filter }: Host): void {
  const host = `${prefix}${name}`;
  execFileSync('ip', ['netns', 'add', host]);
  for (const [at, { clusterIndex }] of legs.entries()) {
    const port = `p${number}x${at}`;
    batch([
      `link add ${port} type veth peer name eth${at} netns ${host}`,
      `link set ${port} master br${clusterIndex}`,
      `link set ${port} up`,
    ]);
  }
  const [first] = legs;
  batch(
    [
      'link set lo up',
      ...legs.flatMap(({ address }, at) => [`address add ${address}/24 dev eth${at}`, `link set eth${at} up`]),
      ...(first === undefined ? [] : [`route add default via ${labAddress(first.clusterIndex)}`]),
    ],
    host,
  );
  mkdirSync(`/etc/netns/${host}`, { recursive: true });
  const lines = ['127.0.0.1 localhost', ...[...names].map(([each, address]) => `${address} ${each}`)];
  writeFileSync(`/etc/netns/${host}/hosts`, `${lines.join('\n')}\n`);
  const rules = isCaptured ? filter + captureRules : filter;
  execFileSync('ip', ['netns', 'exec', host, 'iptables-restore'], { input: rules });
}

/** Folder whose entries replace those of /etc for the processes of a host. */
export function etcOf(name: string): string {
  return `/etc/netns/${prefix}${name}`;
}

/** Returns the command that runs another one on a host, as a user. */
export function commandOn(name: string, user: number, command: readonly string[]): string[] {
  const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
  return ['ip', 'netns', 'exec', `${prefix}${name}`, ...as, ...command];
}

/**
 * What Istio's init container sets up: outgoing connections go to the sidecar's port 15001, incoming ones to 15006, those of the sidecar itself are
 * left as they are. A process that calls its own service is captured too. Probes reach port 9464 directly: in a cluster, the agent of the
 * sidecar forwards them.
 */
const captureRules = `*nat
-A OUTPUT -p tcp -s 127.0.0.6/32 -o lo -j RETURN
-A OUTPUT -p tcp ! -d 127.0.0.1/32 -o lo -m owner --uid-owner ${sidecarUser} -j REDIRECT --to-ports 15006
-A OUTPUT -p tcp -m owner --uid-owner ${sidecarUser} -j RETURN
-A OUTPUT -p tcp -d 127.0.0.0/8 -j RETURN
-A OUTPUT -p tcp -j REDIRECT --to-ports 15001
-A PREROUTING -p tcp -m multiport --dports 9464,15020,15021,15090 -j RETURN
-A PREROUTING -p tcp -j REDIRECT --to-ports 15006
COMMIT
`;

function batch(lines: readonly string[], host?: string): void {
  const args = [...(host === undefined ? [] : ['-n', host]), '-batch', '-'];
  execFileSync('ip', args, { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'ignore', 'pipe'] });
}

/** Returns the namespaces of the lab that exist. */
function existingHosts(): string[] {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return stdout.split('\n').flatMap((line) => (line.startsWith(prefix) ? [line.split(' ')[0] ?? ''] : []));
}

/** Ends every process on the hosts of the lab and removes the hosts. Harmless if there are none. Throws if one is left. */
export function removeHosts(): void {
  const hosts = existingHosts();
  for (const host of hosts) {
    const { stdout } = spawnSync('ip', ['netns', 'pids', host], { encoding: 'utf8' });
    for (const pid of stdout.split('\n').filter(Boolean).map(Number)) {
      if (pid !== process.pid) endProcess(pid);
    }
  }
  for (const host of hosts) {
    spawnSync('ip', ['netns', 'delete', host]);
    rmSync(`/etc/netns/${host}`, { recursive: true, force: true });
  }
  removeMemoryLimits();
  const left = existingHosts();
  if (left.length > 0) throw new Error(`these network namespaces could not be removed: ${left.join(', ')}`);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
