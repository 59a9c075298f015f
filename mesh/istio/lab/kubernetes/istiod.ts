import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, startChild, systemPath } from '../run/child.ts';
import type { ControlPlane } from '../run/control-plane.ts';
import { labAddress } from '../run/network.ts';
import { environment } from '../tools/binary.ts';
import type { ApiServer } from './api-server.ts';

/** What istiod is started with. */
export interface IstiodOptions {
  readonly binary: string;
  readonly api: ApiServer;
  readonly clusterIndex: number;
  readonly cluster: string;
  readonly meshConfig: string;
  readonly folder: string;
  /** Folder with the certificate and the key by which it signs: `ca-cert.pem`, `ca-key.pem`, `root-cert.pem`, `cert-chain.pem`. */
  readonly authorityFolder: string;
  /** What gives proxies their certificates, as Istio's agent does. */
  readonly secrets: ControlPlane;
  readonly revision?: string;
}

const startTimeoutMs = 120_000;

/** Creates Istio's own control plane over the API of a cluster. Proxies reach it by mTLS. */
export function createIstiod(options: IstiodOptions): ControlPlane {
  const { binary, api, clusterIndex, cluster, meshConfig, authorityFolder, secrets, revision } = options;
  const folder = join(options.folder, `istiod-${cluster}${revision === undefined ? '' : `-${revision}`}`);
  const path = (name: string) => join(folder, name);
  const base = 15_100 + clusterIndex * 20 + (revision === undefined ? 0 : 10);
  const discovery = `${labAddress(clusterIndex)}:${base}`;
  let child: Child | undefined;
  return {
    addresses: { discovery, secrets: secrets.addresses.secrets, isSecure: true },
    async start() {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path('kubeconfig'), api.kubeconfig(), { mode: 0o600 });
      writeFileSync(path('mesh.yaml'), meshConfig);
      const flags = {
        kubeconfig: path('kubeconfig'),
        meshConfig: path('mesh.yaml'),
        clusterID: cluster,
        secureGRPCAddr: discovery,
        grpcAddr: `127.0.0.1:${base + 1}`,
        httpsAddr: `127.0.0.1:${base + 2}`,
        httpAddr: `127.0.0.1:${base + 3}`,
        monitoringAddr: `127.0.0.1:${base + 4}`,
        ctrlz_port: 0,
      };
      child = startChild({
        name: `istiod ${cluster}`,
        command: [binary, 'istiod', 'discovery', ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)],
        logPath: path('log'),
        user: 0,
        cwd: folder,
        env: {
          ...environment,
          PATH: systemPath,
          POD_NAME: `istiod-${revision ?? 'default'}`,
          POD_NAMESPACE: 'istio-system',
          ROOT_CA_DIR: authorityFolder,
          CLUSTER_ID: cluster,
          ...(revision !== undefined && { REVISION: revision }),
          // Pods have their sidecars already.
          INJECT_ENABLED: 'false',
        },
      });
      const deadline = performance.now() + startTimeoutMs;
      const ready = () =>
        fetch(`http://127.0.0.1:${base + 3}/ready`).then(
          ({ ok }) => ok,
          () => false,
        );
      while (!(await ready())) {
        if (!child.isRunning() || performance.now() > deadline)
          throw new Error(`no istiod in ${cluster}: ${child.tail()}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    async kill() {
      await child?.end('SIGKILL');
    },
    putEndpoints: (slice) => api.client.apply(slice),
    renewSecrets: () => secrets.renewSecrets(),
  };
}

/** Writes the files by which istiod signs, from a root certificate and its key. */
export function writeAuthority(folder: string, rootPath: string, keyPath: string): void {
  mkdirSync(folder, { recursive: true });
  const root = readFileSync(rootPath);
  for (const name of ['ca-cert.pem', 'root-cert.pem', 'cert-chain.pem']) writeFileSync(join(folder, name), root);
  writeFileSync(join(folder, 'ca-key.pem'), readFileSync(keyPath), { mode: 0o600 });
}
