import { getPage } from '../../clients/public-client.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** The ingress gateway checks tokens of end users before the edge sees a request, and the region that they are bound to. */
export const endUsers: Scenario = {
  name: 'the ingress gateway checks tokens of end users, and the regions that may serve them',
  async run(scene) {
    const { entry, credentials, away, home } = scene;
    const bearer = async (claims: Record<string, string>, isForged?: boolean) =>
      `Bearer ${await scene.endUserToken(claims, isForged)}`;
    const cases: readonly (readonly [string, Record<string, string>, number])[] = [
      ['an API key', credentials, 200],
      ['a token of the identity provider', { authorization: await bearer({}) }, 200],
      ['a token of this region', { authorization: await bearer({ region: home }) }, 200],
      ['no credentials', {}, 401],
      ['a forged token', { authorization: await bearer({}, true) }, 401],
      ...(away === ''
        ? []
        : [['a token of another region', { authorization: await bearer({ region: away }) }, 403] as const]),
    ];
    const problems: string[] = [];
    for (const [title, headers, status] of cases) {
      const page = await getPage(entry, '/v1/models', headers);
      if (page.status !== status) problems.push(`${title}: ${page.status}, not ${status}: ${page.body.slice(0, 200)}`);
    }
    const unknownHost = await getPage({ ...entry }, '/v1/models', { ...credentials, host: 'other.example.com' });
    if (unknownHost.status === 200) problems.push('a host that is not published is served');
    refuse(problems);
    return `${cases.length} kinds of credentials, 1 unknown host`;
  },
};
