import { join } from 'node:path';
import { createAuthority } from '#kit/testing/authority.ts';
import { refuse, type Scenario, until } from '../scenario.ts';

/** Calls leave the mesh for listed hosts only, from workloads that may, through the gateway, with TLS that checks the provider. */
export const egress: Scenario = {
  name: 'calls leave by the egress gateway with TLS, to providers only, from those that may',
  async run(scene) {
    const { lab, home, provider } = scene;
    const url = 'http://api.openai.com/v1/models';
    const problems: string[] = [];
    const gateway = lab.firstOf(home, lab.options.names.gateways.egress.name).sidecar;
    const passedCount = async () => {
      const found = await gateway.stats('outbound.80..api.openai.com.*upstream_rq_total$');
      return [...found.values()].reduce((sum, count) => sum + count, 0);
    };
    let reachedCount = 0;
    let refusedCount = 0;
    for (const { name, callsProviders } of lab.options.model.workloads) {
      const caller = scene.from(lab.firstOf(home, name).pod.name);
      const before = await passedCount();
      const { status, body } = await caller.get({ url });
      const isPassed = (await passedCount()) > before;
      if (callsProviders ? status !== 200 || !isPassed : status === 200 || isPassed)
        problems.push(`${name} to the provider: ${status} ${body}`);
      callsProviders ? reachedCount++ : refusedCount++;
      for (const closed of [
        'https://api.openai.com/v1/models',
        'http://unlisted.example.org/',
        'https://unlisted.example.org/',
        'http://203.0.113.81/',
      ]) {
        const page = await caller.get({ url: closed });
        if (page.status === 200) problems.push(`${name} to ${closed}: ${page.status}`);
        refusedCount++;
      }
    }
    const stranger = createAuthority(join(lab.options.folder, 'stranger'));
    const callers = lab.options.model.workloads.filter(({ callsProviders }) => callsProviders);
    const caller = scene.from(lab.replicasOf(home, callers[0]?.name ?? '')[0] ?? '');
    for (const [title, identity] of [
      ['of an authority that is not public', stranger.issue('DNS:api.openai.com')],
      ['of another name', lab.options.publicAuthority.issue('DNS:api.example.com')],
    ] as const) {
      provider.show(identity);
      const { status } = await caller.get({ url });
      if (status === 200) problems.push(`a provider with a certificate ${title} was called`);
      refusedCount++;
    }
    provider.show(lab.options.publicAuthority.issue('DNS:api.openai.com'));
    await until('the provider is called again', async () => (await caller.get({ url })).status === 200);
    refuse(problems);
    return `${reachedCount} workloads reach the provider, ${refusedCount} other calls refused`;
  },
};
