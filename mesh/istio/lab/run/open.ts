import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { SignJWT } from 'jose';
import { PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { createTokenSigner } from '#kit/rpc/identity.ts';
import { toJwk } from '#kit/rpc/identity-keys.ts';
import { createAuthority, tlsSecret } from '#kit/testing/authority.ts';
import { services } from '../../../run.ts';
import { createModel, type Topology } from '../../model/model.ts';
import { startOpenSites } from '../clients/open-sites.ts';
import { type PodClient, startPodClient } from '../clients/pod-client.ts';
import { type Provider, startProvider } from '../clients/provider.ts';
import { createPublicClient } from '../clients/public-client.ts';
import { type Reading, readRegions, readWithComponents } from '../cluster/installation.ts';
import type { KubernetesTools } from '../kubernetes/kubernetes.ts';
import type { Scene } from '../scenarios/scenario.ts';
import { ask } from '../tools/binary.ts';
import { Lab } from './lab.ts';
import { createNetwork, outside } from './network.ts';
import { startStores } from './stores.ts';

/** What the lab is opened with. */
export interface OpenOptions {
  readonly binary: string;
  readonly envoy: string;
  readonly folder: string;
  readonly streamMs: number;
  readonly kubernetes?: KubernetesTools;
  /** With `grouped`, there is one cluster. @default 'services', in two regions */
  readonly topology?: Topology;
  readonly say: (line: string) => void;
}

/** Pods of a Deployment that the control planes know: those that run, and room for a rolling update. */
const places = 3;

/** Replicas of services that scenarios take away; of the others there is one. */
const replicas: Readonly<Record<string, number>> = { online: 2, audit: 2, chat: 2, retrieval: 2, embedding: 2 };

/** What the regions have too, for the installation in one cluster. */
const components = ['mesh-token', 'end-user-jwt', 'stores-external', 'providers/openai'];

const userIssuer = 'https://login.example.com/';

/** Starts the lab: control planes, stores, the provider, and every pod of two regions. Returns what scenarios work with. */
export async function openScene({
  binary,
  envoy,
  folder,
  streamMs,
  kubernetes,
  topology = 'services',
  say,
}: OpenOptions): Promise<Scene & AsyncDisposable> {
  const model = createModel(services, topology);
  const { installation: names } = model;
  const meshKeys = generateKeyPairSync('ed25519');
  const userKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const forger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const apiKey = randomBytes(24).toString('hex');
  const authority = createAuthority(join(folder, 'authority'));
  const publicAuthority = createAuthority(join(folder, 'public-authority'));
  const publicSite = publicAuthority.issue(`DNS:${names.publicHost}`);

  say('reading the manifests …');
  const reading: Reading = {
    kustomize: (each) => ask(binary, 'Kustomize', each),
    keys: {
      mesh: JSON.stringify({ keys: [toJwk(meshKeys.publicKey)] }),
      endUsers: keySet(userKeys.publicKey, 'ES256'),
    },
    replicasOf: () => places,
  };
  const installation =
    topology === 'services' ? readRegions(reading) : readWithComponents(topology, components, reading);
  const [home, away] = topology === 'services' ? ['eu', 'cn'] : ['local', ''];
  const shared = model.workloads.filter(({ failsOver }) => failsOver).map(({ name }) => name);
  const firstPods = installation.clusters.flatMap(({ pods, manifests }) =>
    pods
      .filter(({ deployment, isGateway }) => manifests.cluster === home || isGateway || shared.includes(deployment))
      .filter(
        ({ name, deployment }) =>
          Number(name.split('-').at(-1)) <= (manifests.cluster === home ? (replicas[deployment] ?? 1) : 1),
      )
      .map(({ name }) => name),
  );

  createNetwork(installation.clusters.map((_, at) => at + 1));
  say('starting stores, control planes and the provider …');
  const stores = await startStores();
  const provider: Provider = await startProvider(outside.provider, publicAuthority, 'api.openai.com');
  const sites = await startOpenSites(publicAuthority.issue('DNS:unlisted.example.org'));
  const pem = (key: KeyObject, type: 'pkcs8' | 'spki') => String(key.export({ type, format: 'pem' } as never));
  const lab = new Lab({
    model,
    installation,
    binary,
    envoy,
    folder,
    authority,
    names,
    publicAuthority,
    publicRoots: publicSite.roots,
    secrets: {
      privateKey: pem(meshKeys.privateKey, 'pkcs8'),
      publicKey: pem(meshKeys.publicKey, 'spki'),
      database: stores.database,
      redis: stores.redis,
      apiKeySha256: createHash('sha256').update(apiKey).digest('hex'),
    },
    additions: {
      edge: {
        ...roomyLimits,
        jwt: { issuer: userIssuer, audience: 'ragmesh', public_key: pem(userKeys.publicKey, 'spki') },
      },
      llm_gateway: {
        models: [{ adapter: 'openai-compatible', settings: { base_url: 'http://api.openai.com/v1', model: 'lab' } }],
      },
    },
    objects: [tlsSecret(names.gateways.ingress.namespace, publicSite)],
    firstPods,
    ...(kubernetes && { kubernetes }),
    say,
  });
  await lab.start();

  const signer = createTokenSigner(meshKeys.privateKey, Date.now, 60 * 60_000);
  const callers = new Map<string, PodClient>();
  const ingress = lab.firstOf(home, names.gateways.ingress.name);
  const entry = { host: names.publicHost, address: ingress.pod.address, port: 8443, roots: publicSite.roots };
  // As `authorization: Bearer …`, the gateway would treat it as a token of an end user.
  const credentials = { 'x-api-key': apiKey };
  return {
    lab,
    home,
    away,
    provider,
    entry,
    credentials,
    streamMs,
    endUserToken: (claims, isForged = false) =>
      new SignJWT({ tenant: 'demo', roles: ['reader'], ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'lab' })
        .setIssuer(userIssuer)
        .setAudience('ragmesh')
        .setSubject('alice')
        .setExpirationTime('10m')
        .sign(isForged ? forger.privateKey : userKeys.privateKey),
    async meshHeaders(tenant = 'demo') {
      const roles = [Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR];
      return { authorization: `Bearer ${await signer.sign(create(PrincipalSchema, { tenant, user: 'lab', roles }))}` };
    },
    from(pod) {
      const found = callers.get(pod) ?? startPodClient(pod, names.userId);
      callers.set(pod, found);
      return found;
    },
    publicClient: (contract) => createPublicClient(contract, entry, credentials),
    async [Symbol.asyncDispose]() {
      for (const caller of callers.values()) caller.close();
      await sites[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
      await stores[Symbol.asyncDispose]();
    },
  };
}

const roomyLimits = {
  tenant_requests_per_second: 100_000,
  tenant_burst: 100_000,
  user_requests_per_second: 100_000,
  user_burst: 100_000,
  user_max_concurrent: 1000,
};

function keySet(key: KeyObject, alg: string): string {
  return JSON.stringify({ keys: [{ ...key.export({ format: 'jwk' }), alg, use: 'sig', kid: 'lab' }] });
}
