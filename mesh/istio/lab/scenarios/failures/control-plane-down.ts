import { refuse, type Scenario, until } from '../scenario.ts';
import { describeEnds, failuresOf, load, reads } from './replica-killed.ts';

/** The control plane is killed: proxies keep their configuration, and take changes again once it is back. */
export const controlPlaneDown: Scenario = {
  needs: ['regions'],
  name: 'the control plane is down: calls continue; after its return, changes arrive',
  async run(scene) {
    const { lab, home } = scene;
    const controlPlane = lab.controlPlaneOf(home);
    await controlPlane.kill();
    const during = await load(scene, reads.regional, 300, 10);
    await controlPlane.start();
    const sidecars = lab.sidecars(home);
    await until('every proxy is connected again', async () => {
      const states = await Promise.all(sidecars.map((sidecar) => sidecar.stats('control_plane\\.connected_state$')));
      return states.every((found) => [...found.values()].every((state) => state === 1));
    });
    const [old = ''] = lab.replicasOf(home, reads.regional.to);
    const next = lab.freePlace(home, reads.regional.to);
    const after = load(scene, reads.regional, 300, 20);
    await lab.replace(old, next);
    const ends = await after;
    refuse([
      ...failuresOf(during).map(([end, count]) => `while it was down: ${count} ${end}`),
      ...failuresOf(ends).map(([end, count]) => `while a pod was replaced after its return: ${count} ${end}`),
    ]);
    return `${describeEnds(during)} without it; a pod replaced after its return: ${describeEnds(ends)}`;
  },
};
