import { hostOf } from '../../../model/installation.ts';
import { regions } from '../../../model/regions.ts';
import { isDenied, type Reply } from '../../clients/wire.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** Sidecars check the token of the mesh before a process sees a call, and refuse tenants that are bound to another region. */
export const boundTenants: Scenario = {
  needs: ['regions'],
  name: 'sidecars refuse calls without a good token of the mesh, and for tenants that are bound to another region',
  async run(scene) {
    const { lab, home } = scene;
    const origin = `http://${hostOf('retrieval', lab.options.names)}:${lab.options.names.ports.grpc}`;
    const caller = scene.from(lab.firstOf(home, 'chat').pod.name);
    const boundTo = (isHere: boolean) =>
      regions.filter(({ name }) => (name === home) === isHere).flatMap((region) => region.boundTenants);
    const { authorization = '' } = await scene.meshHeaders();
    const isUnauthenticated = ({ code, message }: Reply) => code === 16 && message.startsWith('Jwt ');
    const isServed = ({ code, isFromBehind }: Reply) => code === 0 && isFromBehind;
    const cases: readonly (readonly [string, Record<string, string>, (reply: Reply) => boolean])[] = [
      ['a tenant of no region', { authorization }, isServed],
      ...(await Promise.all(
        boundTo(true).map(
          async (tenant) => [`${tenant}, bound to ${home}`, await scene.meshHeaders(tenant), isServed] as const,
        ),
      )),
      ...(await Promise.all(
        boundTo(false).map(
          async (tenant) => [`${tenant}, bound elsewhere`, await scene.meshHeaders(tenant), isDenied] as const,
        ),
      )),
      ['no token', {}, isDenied],
      ['a token of another issuer', { authorization: `Bearer ${await scene.endUserToken({})}` }, isUnauthenticated],
      ['a changed token', { authorization: `${authorization.slice(0, -8)}AAAAAAAA` }, isUnauthenticated],
    ];
    const problems: string[] = [];
    for (const [title, headers, isRight] of cases) {
      const [reply] = await caller.calls({
        origin,
        headers,
        paths: ['/ragmesh.retrieval.v1.RetrievalService/ListCorpora'],
      });
      if (reply === undefined || !isRight(reply)) problems.push(`${title}: code ${reply?.code} "${reply?.message}"`);
    }
    refuse(problems);
    return `${cases.length} of ${cases.length} kinds of tokens`;
  },
};
