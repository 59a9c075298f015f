import { hostOf } from '../../../model/installation.ts';
import { bytesOf } from '../../run/memory.ts';
import { refuse, type Scenario, until } from '../scenario.ts';

const audit = { from: 'chat', to: 'audit', path: '/ragmesh.audit.v1.AuditService/Record' };
const query = { from: 'edge', path: '/ragmesh.audit.v1.AuditService/QueryAudit' };
/** Records, and the size of each: together more than a process may hold. */
const recordCount = 600;
const answerBytes = 200_000;
/** Memory that the limit leaves beside what the process uses, in bytes. */
const roomBytes = 8 * 2 ** 20;

/** A process that writes records reaches its limit of memory: the kernel ends it, and what it has acknowledged is there after its return. */
export const memoryLimit: Scenario = {
  needs: ['regions'],
  name: 'processes live within the memory of their pods; one at its limit is killed, starts again and has lost nothing',
  async run(scene) {
    const { lab, home } = scene;
    const pods = lab
      .runningPods()
      .filter(({ process: service, memory }) => service !== undefined && memory !== undefined);
    if (pods.length === 0) throw new Error('this machine has no control groups for memory');
    const killed = pods.filter(({ memory }) => (memory?.killCount() ?? 0) > 0).map(({ pod }) => pod.name);
    refuse(killed.map((name) => `${name} was killed at its limit of memory`));
    const shares = pods.map(
      ({ pod, memory }) => (memory?.usage() ?? 0) / bytesOf(pod.container.resources.limits.memory),
    );
    const victims = lab.replicasOf(home, audit.to).map((name) => lab.runningPod(name));
    const address = `${hostOf(audit.to, lab.options.names)}:${lab.options.names.ports.grpc}`;
    const headers = await scene.meshHeaders('memory');
    const message = { question: 'Is it stored?', answer: 'x'.repeat(answerBytes) };
    const numbered = {
      address,
      headers,
      message,
      path: audit.path,
      key: 'answerId',
      count: recordCount,
      concurrency: 8,
    };
    const [victim] = victims;
    if (victim?.memory === undefined) throw new Error(`no replica of ${audit.to} has a limit`);
    const { memory, pod } = victim;
    const records = scene.from(lab.firstOf(home, audit.from).pod.name).numbered(numbered);
    memory.set(Math.min(memory.usage() + roomBytes, bytesOf(pod.container.resources.limits.memory)));
    await until(`${pod.name} is killed`, async () => memory.killCount() > 0 || victim.process?.isRunning() === false);
    const acknowledged = await records;
    memory.set(bytesOf(pod.container.resources.limits.memory));
    await lab.restartProcess(pod.name);
    const entries = await scene.from(lab.firstOf(home, query.from).pod.name).collect({
      ...{ address, headers, path: query.path },
      message: { limit: 10_000 },
    });
    const stored = new Set(
      entries.map((each) => (each as { entry: { record: { answerId: string } } }).entry.record.answerId),
    );
    const lost = acknowledged.filter((number) => !stored.has(String(number)));
    refuse([
      ...(lost.length > 0 ? [`${lost.length} acknowledged records are lost`] : []),
      ...(stored.size === entries.length ? [] : ['a record is there twice']),
      ...(memory.killCount() > 0 ? [] : [`${pod.name} ended by itself`]),
      ...(acknowledged.length === 0 ? ['no record was acknowledged'] : []),
    ]);
    const most = Math.round(Math.max(...shares) * 100);
    return `${pods.length} processes use at most ${most} % of their limits; ${acknowledged.length} of ${recordCount} records acknowledged around the kill, 0 lost`;
  },
};
