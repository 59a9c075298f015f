import { issueFor } from '#kit/testing/authority.ts';
import { createWireClient } from '../../clients/wire.ts';
import { refuse, type Scenario, type Scene, until } from '../scenario.ts';
import { describeEnds, failuresOf, load, reads } from './replica-killed.ts';

/** Gives every proxy a new certificate, and waits until each has it. */
async function renew({ lab }: Scene): Promise<void> {
  const counts = () =>
    lab.sidecars().map((sidecar) => sidecar.stats('sds\\..*update_success$|ssl_context_update_by_sds$'));
  const sum = (found: ReadonlyMap<string, number>) => [...found.values()].reduce((total, count) => total + count, 0);
  const before = (await Promise.all(counts())).map(sum);
  lab.writeIdentities();
  for (const cluster of lab.clusterNames) await lab.controlPlaneOf(cluster).renewSecrets();
  await until('every proxy has its new certificate', async () =>
    (await Promise.all(counts())).every((found, at) => sum(found) > (before[at] ?? 0)),
  );
}

/** The root of the mesh is replaced under calls: trusted beside the old one, then signing, then alone. */
export const rotation: Scenario = {
  // The root of istiod itself is replaced by a new Secret `cacerts` and a restart, which the lab does not do.
  needs: ['own control plane', 'regions'],
  name: 'the root and all certificates are replaced under calls: none fails, and the old ones are refused',
  async run(scene) {
    const { lab, home } = scene;
    const { namespace, trustDomain, ports } = lab.options.names;
    const chat = { namespace, account: 'chat' };
    const old = issueFor(lab.options.authority, chat, trustDomain);
    let isOver = false;
    const ends: Record<string, number> = {};
    const call = async () => {
      for (const [end, count] of Object.entries(await load(scene, reads.regional, 60, 10))) {
        ends[end] = (ends[end] ?? 0) + count;
      }
    };
    const calls = (async () => {
      while (!isOver) await call();
    })();
    try {
      for (const step of ['introduceRoot', 'switchRoot', 'retireRoot'] as const) {
        lab.options.authority[step]();
        await renew(scene);
        // Calls begin after each step too, not only during it.
        await call();
        lab.options.say(`  ${step}: done`);
      }
    } finally {
      isOver = true;
      await calls;
    }
    const { pod } = lab.firstOf(home, 'retrieval');
    const fresh = issueFor(lab.options.authority, chat, trustDomain);
    const [withOld, withNew] = await Promise.all(
      [old, fresh].map(async ({ certificate, key }) => {
        const tls = {
          cert: certificate,
          key,
          ca: fresh.roots,
          ALPNProtocols: ['h2'],
          checkServerIdentity: () => undefined,
        };
        const client = createWireClient(`https://${pod.address}:${ports.grpc}`, tls);
        const reply = await client.call(
          '/ragmesh.retrieval.v1.RetrievalService/ListCorpora',
          await scene.meshHeaders(),
        );
        client.close();
        return reply;
      }),
    );
    refuse([
      ...failuresOf(ends).map(([end, count]) => `${count} ${end}`),
      ...(withOld?.code === -1 ? [] : [`the old certificate is accepted: code ${withOld?.code} "${withOld?.message}"`]),
      ...(withNew?.code === 0 ? [] : [`the new certificate is refused: code ${withNew?.code} "${withNew?.message}"`]),
    ]);
    return `${describeEnds(ends)} in 3 steps; the old certificate is refused`;
  },
};
