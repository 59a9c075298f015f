import { hostOf } from '../../../model/installation.ts';
import { describeEnds, failuresOf, load, reads } from '../failures/replica-killed.ts';
import { refuse, type Scenario, until } from '../scenario.ts';

/** A service of few calls at a time, and an rpc that stays open as long as its client writes. */
const target = { from: 'edge', to: 'evaluation', path: '/ragmesh.evaluation.v1.EvaluationService/PutDataSet' };
const other = '/ragmesh.evaluation.v1.EvaluationService/ListRuns';

/** Code of a call that a proxy refuses because a pool is full. */
const unavailable = 14;

/** More calls than the pool of a caller holds: those beyond it are refused while the others are still open, and nothing else suffers. */
export const overload: Scenario = {
  needs: ['regions'],
  name: 'calls beyond a pool are refused immediately, those within it live, other services do not notice',
  async run(scene) {
    const { lab, home } = scene;
    const workload = lab.options.model.workloads.find(({ name }) => name === target.to);
    if (workload === undefined) throw new Error(`no workload ${target.to}`);
    const capacity = workload.replicas.max * workload.callsPerReplica;
    const count = capacity + 200;
    const { pod, sidecar } = lab.firstOf(home, target.from);
    const caller = scene.from(pod.name);
    const origin = `http://${hostOf(target.to, lab.options.names)}:${lab.options.names.ports.grpc}`;
    const headers = await scene.meshHeaders();
    const active = async () => {
      const found = await sidecar.stats(`${target.to}\\..*upstream_rq_active$`);
      return Math.max(0, ...found.values());
    };
    const refused = await caller.hold({ origin, headers, path: target.path, count, endedCount: count - capacity });
    const isRefusal = ({ code, message }: { code: number; message: string }) =>
      code === unavailable && message.includes('overflow');
    const open = await active();
    const [further] = await caller.calls({ origin, headers, paths: [other] });
    const ends = await load(scene, reads.regional, 120, 5);
    const stillOpen = await active();
    const released = await caller.release();
    const served = released.filter(({ isFromBehind }) => isFromBehind);
    const strange = refused.find((reply) => !isRefusal(reply));
    refuse([
      ...(refused.length === count - capacity
        ? []
        : [`${refused.length} of ${count} calls were refused, not ${count - capacity}`]),
      ...(strange === undefined ? [] : [`a call ended with code ${strange.code} "${strange.message}"`]),
      ...(open === capacity ? [] : [`${open} calls were open, not ${capacity}`]),
      ...(further !== undefined && isRefusal(further)
        ? []
        : [`a further call: code ${further?.code} "${further?.message}"`]),
      ...failuresOf(ends).map(([end, times]) => `of another service meanwhile: ${times} ${end}`),
      ...(stillOpen === capacity ? [] : [`${stillOpen} calls were still open, not ${capacity}`]),
      ...(served.length === capacity
        ? []
        : [`${served.length} of the ${capacity} open calls were ended by the service`]),
    ]);
    await until('the pool is free again', async () => {
      const [reply] = await caller.calls({ origin, headers, paths: [other] });
      return reply?.code === 0;
    });
    return `${capacity} of ${count} passed and lived, ${refused.length} refused; another service: ${describeEnds(ends)}`;
  },
};
