import { issueFor } from '#kit/testing/authority.ts';
import { hostOf } from '../../../model/installation.ts';
import { createWireClient, isDenied, type Reply } from '../../clients/wire.ts';
import { refuse, type Scenario, type Scene } from '../scenario.ts';

/** A caller's rpcs at one callee: those that the matrix allows, and the others. */
interface Pair {
  readonly from: string;
  readonly to: string;
  readonly allowed: ReadonlySet<string>;
  readonly paths: readonly string[];
}

function pairsOf({ lab }: Scene, callers: readonly string[]): Pair[] {
  const { calls, workloads } = lab.options.model;
  return callers.flatMap((from) =>
    workloads
      .filter(({ rpcs }) => rpcs.length > 0)
      .map(({ name: to, rpcs }) => ({
        from,
        to,
        paths: rpcs.map(({ path }) => path),
        allowed: new Set(calls.filter((call) => call.from === from && call.to === to).map(({ rpc }) => rpc.path)),
      })),
  );
}

/**
 * Every rpc is called with the certificate of every workload, of the gateways, and of an account that the manifests do not know, directly at the pod: as
 * one would who has stolen a certificate and is not held back by a sidecar of his own.
 */
export const matrixByCertificate: Scenario = {
  name: 'a pod answers exactly the callers and rpcs of the matrix, whatever sidecar the caller has',
  async run(scene) {
    const { lab, home } = scene;
    const { namespace, trustDomain, ports, gateways } = lab.options.names;
    const headers = await scene.meshHeaders();
    const strangers = [
      { namespace, account: 'default' },
      { namespace: 'elsewhere', account: 'chat' },
      ...Object.values(gateways).map((gateway) => ({ namespace: gateway.namespace, account: gateway.name })),
    ];
    const known = lab.options.model.workloads.map(({ name }) => ({ namespace, account: name }));
    const problems: string[] = [];
    const counts = { allowed: 0, refused: 0 };
    for (const identity of [...known, ...strangers]) {
      const { certificate, key, roots } = issueFor(lab.options.authority, identity, trustDomain);
      const isKnown = identity.namespace === namespace;
      for (const pair of pairsOf(scene, [isKnown ? identity.account : ''])) {
        const { pod } = lab.firstOf(home, pair.to);
        const options = {
          cert: certificate,
          key,
          ca: roots,
          ALPNProtocols: ['h2'],
          checkServerIdentity: () => undefined,
        };
        const client = createWireClient(`https://${pod.address}:${ports.grpc}`, options);
        for (const path of pair.paths) {
          const reply = await client.call(path, headers);
          const isAllowed = pair.allowed.has(path);
          counts[isAllowed ? 'allowed' : 'refused']++;
          const isRight = isAllowed ? !isDenied(reply) && reply.isFromBehind : isDenied(reply);
          if (!isRight)
            problems.push(titleOf(`${identity.namespace}/${identity.account}`, pair, path, isAllowed, reply));
        }
        client.close();
      }
    }
    refuse(problems);
    return `${counts.allowed} allowed, ${counts.refused} refused with PERMISSION_DENIED`;
  },
};

/** Code with which a sidecar answers for a host that it does not know. */
const unavailable = 14;

/** Every rpc is called from the host of every workload, so that its own sidecar carries the call. */
export const matrixBySidecar: Scenario = {
  name: 'through its sidecar, a workload reaches exactly the rpcs of the matrix',
  async run(scene) {
    const { lab, home } = scene;
    const headers = await scene.meshHeaders();
    const problems: string[] = [];
    const counts = { allowed: 0, denied: 0, closed: 0 };
    const callers = lab.options.model.workloads.map(({ name }) => name);
    for (const pair of pairsOf(scene, callers)) {
      const origin = `http://${hostOf(pair.to, lab.options.names)}:${lab.options.names.ports.grpc}`;
      const caller = scene.from(lab.firstOf(home, pair.from).pod.name);
      const replies = await caller.calls({ origin, headers, paths: pair.paths });
      for (const [at, reply] of replies.entries()) {
        const path = pair.paths[at] ?? '';
        const isAllowed = pair.allowed.has(path);
        const isClosed = !reply.isFromBehind && (reply.code === -1 || reply.code === unavailable);
        const isRight = isAllowed ? !isDenied(reply) && reply.isFromBehind : isDenied(reply) || isClosed;
        if (isAllowed) counts.allowed++;
        else counts[isClosed ? 'closed' : 'denied']++;
        if (!isRight) problems.push(titleOf(pair.from, pair, path, isAllowed, reply));
      }
    }
    refuse(problems);
    return `${counts.allowed} allowed, ${counts.denied} refused by the callee, ${counts.closed} by the caller's sidecar`;
  },
};

function titleOf(from: string, { to }: Pair, path: string, isAllowed: boolean, { code, message }: Reply): string {
  return `${from} → ${to} ${path} (${isAllowed ? 'allowed' : 'forbidden'}): code ${code} "${message}"`;
}
