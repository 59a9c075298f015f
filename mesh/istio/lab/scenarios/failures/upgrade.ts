import { refuse, type Scenario } from '../scenario.ts';
import { describeEnds, failuresOf, load, reads } from './replica-killed.ts';

/** A second control plane takes over pod by pod, is given up, and takes nothing with it: an upgrade of Istio, and its rollback. */
export const upgrade: Scenario = {
  needs: ['regions'],
  name: 'pods move to a second control plane and back under calls: none fails, and the second one is gone',
  async run(scene) {
    const { lab, home } = scene;
    const { from, to } = reads.regional;
    const next = await lab.startNextRevision(home);
    let isOver = false;
    const ends: Record<string, number> = {};
    const calls = (async () => {
      while (!isOver) {
        for (const [end, count] of Object.entries(await load(scene, reads.regional, 60, 10))) {
          ends[end] = (ends[end] ?? 0) + count;
        }
      }
    })();
    const problems: string[] = [];
    let movedCount = 0;
    try {
      // The replicas of the callee, and another workload that is called through the gateway.
      for (const target of [next, undefined]) {
        for (const deployment of [to, 'chat']) {
          for (const old of lab.replicasOf(home, deployment)) {
            const place = lab.freePlace(home, deployment);
            await lab.replace(old, place, target);
            movedCount++;
            const { discovery } = (target ?? lab.controlPlaneOf(home)).addresses;
            const found = await lab.runningPod(place).sidecar.stats('control_plane\\.connected_state$');
            if (![...found.values()].every((state) => state === 1))
              problems.push(`${place} has no connection to ${discovery}`);
          }
        }
        lab.options.say(`  ${movedCount} pods moved, ${describeEnds(ends)}`);
      }
      await lab.endNextRevision(home);
      for (const [end, count] of failuresOf(await load(scene, reads.regional, 120, 5))) {
        problems.push(`without the second one: ${count} ${end}`);
      }
    } finally {
      isOver = true;
      await calls;
      await lab.endNextRevision(home);
    }
    refuse([...problems, ...failuresOf(ends).map(([end, count]) => `${count} ${end}`)]);
    return `${movedCount} moves of pods, called from ${from}: ${describeEnds(ends)}`;
  },
};
