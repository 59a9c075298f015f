import type { JsonObject } from '@bufbuild/protobuf';
import { hostOf } from '../../model/installation.ts';
import type { Ends } from '../clients/probe.ts';
import { refuse, type Scenario, type Scene, until } from './scenario.ts';

/** A call that the contract lets the mesh repeat. */
export const readOf: Readonly<Record<'retrieval' | 'embedding', { path: string; message: JsonObject }>> = {
  retrieval: { path: '/ragmesh.retrieval.v1.RetrievalService/ListCorpora', message: {} },
  embedding: {
    path: '/ragmesh.embedding.v1.EmbeddingService/Embed',
    message: { inputs: ['a parcel'], purpose: 'PURPOSE_QUERY' },
  },
};

/** Starts calls of one rpc from a pod of the home cluster. */
export async function load(
  scene: Scene,
  from: string,
  to: keyof typeof readOf,
  count: number,
  gapMs: number,
): Promise<Ends> {
  const { lab, home } = scene;
  const address = `${hostOf(to, lab.options.names)}:${lab.options.names.ports.grpc}`;
  const caller = scene.from(lab.firstOf(home, from).pod.name);
  return caller.load({ ...readOf[to], address, headers: await scene.meshHeaders(), count, concurrency: 6, gapMs });
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

/** Returns how many replicas of a service the sidecar of a caller leaves out now, or did in total. */
export async function ejections(
  { lab, home }: Scene,
  from: string,
  to: string,
  kind: 'active' | 'enforced_total',
): Promise<number> {
  const { sidecar } = lab.firstOf(home, from);
  const found = await sidecar.stats(`${to}\\..*outlier_detection\\.ejections_${kind}$`);
  return [...found.values()].reduce((sum, count) => sum + count, 0);
}

/** The process of one of two replicas is killed under calls; its Service lists it until the end. */
export const replicaKilled: Scenario = {
  name: 'a replica is killed: all of 600 calls succeed, it is left out, and it returns',
  async run(scene) {
    const { lab, home } = scene;
    const [victim = ''] = lab.replicasOf(home, 'retrieval');
    const before = await ejections(scene, 'chat', 'retrieval', 'enforced_total');
    const calls = load(scene, 'chat', 'retrieval', 600, 20);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await lab.killProcess(victim);
    const ends = await calls;
    const ejected = (await ejections(scene, 'chat', 'retrieval', 'enforced_total')) - before;
    await lab.restartProcess(victim);
    const problems = [
      ...(failuresOf(ends).length > 0 ? [`calls failed: ${describeEnds(ends)}`] : []),
      ...(ejected === 0 ? ['the killed replica was not left out'] : []),
    ];
    refuse(problems);
    await until(
      'the replica returns',
      async () => (await ejections(scene, 'chat', 'retrieval', 'active')) === 0,
      300_000,
    );
    const after = await load(scene, 'chat', 'retrieval', 60, 5);
    refuse(failuresOf(after).map(([end, count]) => `after its return: ${count} ${end}`));
    return `${describeEnds(ends)}; left out ${ejected} times, then returned`;
  },
};
