import { refuse, type Scenario, type Scene, until } from '../scenario.ts';
import { describeEnds, failuresOf, load, reads } from './replica-killed.ts';

/** Returns how many calls the replicas of embedding in a region have answered. */
async function answeredIn({ lab }: Scene, cluster: string): Promise<number> {
  const sidecars = lab.replicasOf(cluster, reads.shared.to).map((pod) => lab.runningPod(pod).sidecar);
  const found = await Promise.all(
    sidecars.map((sidecar) => sidecar.stats('inbound.*upstream_rq_total$').catch(() => new Map<string, number>())),
  );
  return found.flatMap((each) => [...each.values()]).reduce((sum, count) => sum + count, 0);
}

/** Returns what the sidecar of the caller has counted of retries, for the message of a failure. */
async function retriesOf({ lab, home }: Scene): Promise<string> {
  const { sidecar } = lab.firstOf(home, reads.shared.from);
  const found = await sidecar.stats(`${reads.shared.to}\\..*upstream_rq_(retry.*|rx_reset|5..)$`);
  return [...found].map(([name, count]) => `${name.split('.').at(-1)} ${count}`).join(', ');
}

async function loseRegion(
  scene: Scene,
  {
    count,
    atLeast,
    lose,
    restore,
  }: { count: number; atLeast: number; lose: (pod: string) => Promise<void>; restore: (pod: string) => Promise<void> },
): Promise<string> {
  const { lab, home, away } = scene;
  const victims = lab.replicasOf(home, reads.shared.to);
  const before = await answeredIn(scene, away);
  const calls = load(scene, reads.shared, count, 20);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await Promise.all(victims.map(lose));
  const ends = await calls;
  const passed = (await answeredIn(scene, away)) - before;
  for (const victim of victims) await restore(victim);
  const succeeded = ends.OK ?? 0;
  const retries = await retriesOf(scene);
  refuse([
    ...(succeeded < atLeast
      ? [`${succeeded} of ${count} calls succeeded, fewer than ${atLeast}: ${describeEnds(ends)}; retries: ${retries}`]
      : []),
    ...(passed === 0 ? ['the other region has answered no call'] : []),
  ]);
  await until('calls are served at home again', async () => (await load(scene, reads.shared, 12, 5)).OK === 12);
  await until('its replicas are not left out', async () => isHomeAgain(scene), 300_000);
  refuse(failuresOf(await load(scene, reads.shared, 60, 5)).map(([end, times]) => `after the return: ${times} ${end}`));
  return `${describeEnds(ends)}; ${passed} answered by the other region, then back`;
}

/** Whether new calls are served by the replicas at home. */
async function isHomeAgain(scene: Scene): Promise<boolean> {
  const before = await answeredIn(scene, scene.home);
  await load(scene, reads.shared, 30, 5);
  return (await answeredIn(scene, scene.home)) - before >= 20;
}

/** All processes of a stateless service in a region are killed; their sidecars answer for them. */
export const regionProcessesLost: Scenario = {
  needs: ['regions'],
  name: 'all processes of a stateless service are killed: at least 599 of 600 calls succeed, in the other region, and return',
  run: (scene) =>
    loseRegion(scene, {
      count: 600,
      atLeast: 599,
      lose: (pod) => scene.lab.killProcess(pod),
      restore: (pod) => scene.lab.restartProcess(pod),
    }),
};

/** The same with their sidecars: connections end without a reply. */
export const regionPodsLost: Scenario = {
  needs: ['regions'],
  name: 'all its pods are killed: at least 494 of 500 calls succeed, in the other region, and return',
  run: (scene) =>
    loseRegion(scene, {
      count: 500,
      atLeast: 494,
      lose: (pod) => scene.lab.killPod(pod),
      restore: (pod) => scene.lab.startPod(pod),
    }),
};
