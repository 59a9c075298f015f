import type { JsonObject } from '@bufbuild/protobuf';
import { hostOf } from '../../../model/installation.ts';
import type { Ends } from '../../clients/probe.ts';
import { refuse, type Scenario, type Scene, until } from '../scenario.ts';

/** A call that the contract lets the mesh repeat. It is a stream, which has no timeout: a slow machine fails none. */
interface Read {
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly message: JsonObject;
}

/** Calls to a service whose replicas are in one region, and to one that fails over. */
export const reads: Readonly<Record<'regional' | 'shared', Read>> = {
  regional: { from: 'edge', to: 'audit', path: '/ragmesh.audit.v1.AuditService/QueryAudit', message: { limit: 1 } },
  shared: {
    from: 'retrieval',
    to: 'embedding',
    path: '/ragmesh.embedding.v1.EmbeddingService/Embed',
    message: { inputs: ['a parcel'], purpose: 'PURPOSE_QUERY' },
  },
};

/** Makes calls from a pod of the home cluster. `gapMs`: the wait of each of six callers after a call. */
export async function load(scene: Scene, read: Read, count: number, gapMs: number): Promise<Ends> {
  const { lab, home } = scene;
  const { from, to, path, message } = read;
  const address = `${hostOf(to, lab.options.names)}:${lab.options.names.ports.grpc}`;
  const caller = scene.from(lab.firstOf(home, from).pod.name);
  return caller.load({ path, message, address, headers: await scene.meshHeaders(), count, concurrency: 6, gapMs });
}

/** Returns what did not end well, and how often. */
export function failuresOf(ends: Ends): [string, number][] {
  return Object.entries(ends).filter(([end]) => end !== 'OK');
}

/** Writes ends of calls: "598 OK, 2 Unavailable: …". */
export function describeEnds(ends: Ends): string {
  return Object.entries(ends)
    .sort(([, a], [, b]) => b - a)
    .map(([end, count]) => `${count} ${end}`)
    .join(', ');
}

/** Returns how many replicas the sidecar of a caller leaves out now, or how often it did. */
async function ejections({ lab, home }: Scene, { from, to }: Read, kind: 'active' | 'enforced_total'): Promise<number> {
  const { sidecar } = lab.firstOf(home, from);
  const found = await sidecar.stats(`${to}\\..*outlier_detection\\.ejections_${kind}$`);
  return [...found.values()].reduce((sum, count) => sum + count, 0);
}

/** The process of one of two replicas is killed under calls; its Service lists it until the end. */
export const replicaKilled: Scenario = {
  needs: ['regions'],
  name: 'a replica is killed: all of 600 calls succeed, it is left out, and it returns',
  async run(scene) {
    const { lab, home } = scene;
    const read = reads.regional;
    const [victim = ''] = lab.replicasOf(home, read.to);
    const before = await ejections(scene, read, 'enforced_total');
    const calls = load(scene, read, 600, 20);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await lab.killProcess(victim);
    const ends = await calls;
    const ejected = (await ejections(scene, read, 'enforced_total')) - before;
    await lab.restartProcess(victim);
    refuse([
      ...(failuresOf(ends).length > 0 ? [`calls failed: ${describeEnds(ends)}`] : []),
      ...(ejected === 0 ? ['the killed replica was not left out'] : []),
    ]);
    await until('the replica returns', async () => (await ejections(scene, read, 'active')) === 0, 300_000);
    refuse(failuresOf(await load(scene, read, 60, 5)).map(([end, count]) => `after its return: ${count} ${end}`));
    return `${describeEnds(ends)}; left out ${ejected} times, then returned`;
  },
};
