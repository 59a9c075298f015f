import { join } from 'node:path';
import { createAuthority, issueFor } from '#kit/testing/authority.ts';
import { createWireClient, isDenied } from '../../clients/wire.ts';
import { refuse, type Scenario } from '../scenario.ts';

/** Connections that are not of the mesh are closed before a byte reaches a process. */
export const plaintextRefused: Scenario = {
  name: 'plaintext, and certificates of another authority, are refused by every pod',
  async run({ lab, home, meshHeaders }) {
    const headers = await meshHeaders();
    const path = '/grpc.health.v1.Health/Check';
    const { namespace, trustDomain, ports } = lab.options.names;
    const other = createAuthority(join(lab.options.folder, 'other-authority'));
    const { certificate, key } = issueFor(other, { namespace, account: 'edge' }, trustDomain);
    const problems: string[] = [];
    let count = 0;
    for (const { name, isEntry } of lab.options.model.workloads) {
      const { pod } = lab.firstOf(home, name);
      const address = `${pod.address}:${isEntry ? ports.edge : ports.grpc}`;
      const tls = { cert: certificate, key, rejectUnauthorized: false, ALPNProtocols: ['h2'] };
      const clients = [createWireClient(`http://${address}`), createWireClient(`https://${address}`, tls)];
      for (const client of clients) {
        const reply = await client.call(path, headers);
        client.close();
        count++;
        if (reply.code !== -1 || reply.isFromBehind || isDenied(reply))
          problems.push(`${name}: code ${reply.code} "${reply.message}"`);
      }
    }
    refuse(problems);
    return `${count} of ${count} connections closed`;
  },
};
