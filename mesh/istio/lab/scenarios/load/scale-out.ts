import { describeEnds, failuresOf, load, reads } from '../failures/replica-killed.ts';
import { refuse, type Scenario, type Scene, until } from '../scenario.ts';

/** Returns how many calls a pod has answered. */
async function answeredBy({ lab }: Scene, pod: string): Promise<number> {
  const found = await lab.runningPod(pod).sidecar.stats('inbound.*upstream_rq_total$');
  return [...found.values()].reduce((sum, count) => sum + count, 0);
}

const sampleCount = 300;

/** A replica is added under calls of clients whose connections stay: it gets its share of them, and leaves without a failure. */
export const scaleOut: Scenario = {
  needs: ['regions'],
  name: 'a new replica gets its share of the calls of connected clients, within the age of a connection, and leaves without a failure',
  async run(scene) {
    const { lab, home } = scene;
    const read = reads.regional;
    await load(scene, read, 30, 5);
    const added = lab.freePlace(home, read.to);
    await lab.startPod(added);
    const replicas = lab.replicasOf(home, read.to);
    const least = sampleCount / replicas.length / 2;
    const problems: string[] = [];
    let share = 0;
    // It is given more from call to call: replicas warm up for half a minute. The age of a connection, half an hour, bounds it in any case.
    await until('the new replica has half of an equal share', async () => {
      const before = await answeredBy(scene, added);
      const ends = await load(scene, read, sampleCount, 5);
      for (const [end, count] of failuresOf(ends)) problems.push(`${count} ${end}`);
      share = (await answeredBy(scene, added)) - before;
      return share >= least;
    });
    const calls = load(scene, read, sampleCount, 20);
    await lab.remove(added);
    const ends = await calls;
    for (const [end, count] of failuresOf(ends)) problems.push(`while it left: ${count} ${end}`);
    refuse(problems);
    return `${share} of ${sampleCount} calls by the new one of ${replicas.length}; while it left: ${describeEnds(ends)}`;
  },
};
