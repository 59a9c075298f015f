import { connect } from 'node:tls';
import { issueFor } from '#kit/testing/authority.ts';
import { hostOf } from '../../../model/installation.ts';
import { createWireClient } from '../../clients/wire.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** The gateway between regions passes connections to named hosts only, also for those that have a certificate of the mesh. */
export const betweenRegions: Scenario = {
  needs: ['regions'],
  name: 'the gateway between regions passes what fails over, and nothing else',
  async run(scene) {
    const { lab, away } = scene;
    const { namespace, trustDomain, ports, gateways } = lab.options.names;
    const { pod } = lab.firstOf(away, gateways.eastWest.name);
    const headers = await scene.meshHeaders();
    const { certificate, key, roots } = issueFor(
      lab.options.authority,
      { namespace, account: 'retrieval' },
      trustDomain,
    );
    const problems: string[] = [];
    let passedCount = 0;
    const { workloads } = lab.options.model;
    for (const { name, rpcs, failsOver } of workloads) {
      const [rpc] = lab.options.model.calls
        .filter(({ from, to }) => from === 'retrieval' && to === name)
        .map((call) => call.rpc);
      const path = (rpc ?? rpcs[0])?.path ?? '/';
      const tls = {
        host: pod.address,
        port: 15443,
        cert: certificate,
        key,
        ca: roots,
        servername: `outbound_.${ports.grpc}_._.${hostOf(name, lab.options.names)}`,
        // "istio" is what the gateway knows the mesh's own connections by. http2.connect would offer "h2" alone.
        ALPNProtocols: ['istio', 'h2'],
        checkServerIdentity: () => undefined,
      };
      const client = createWireClient(`https://${pod.address}:15443`, { createConnection: () => connect(tls) });
      const reply = await client.call(path, headers);
      client.close();
      const isPassed = reply.isFromBehind;
      if (isPassed) passedCount++;
      if (isPassed !== failsOver) problems.push(`${name}: code ${reply.code} "${reply.message}"`);
    }
    refuse(problems);
    return `${passedCount} services passed, ${workloads.length - passedCount} refused`;
  },
};
