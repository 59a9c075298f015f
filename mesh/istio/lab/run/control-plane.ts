import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlaneInput } from '../cluster/installation.ts';
import { environment } from '../tools/binary.ts';
import type { ControlPlaneAddresses } from './bootstrap.ts';
import { type Child, startChild, systemPath } from './child.ts';
import { ask } from './envoy.ts';
import { labAddress } from './network.ts';

/** The control plane of a cluster: Istio's discovery code in a process of its own. */
export interface ControlPlane {
  readonly addresses: ControlPlaneAddresses;
  start(): Promise<void>;
  /** Ends it like a machine that fails. */
  kill(): Promise<void>;
  /** Replaces the endpoints of a Service. They are those of a restarted control plane too. */
  putEndpoints(slice: { readonly metadata: { readonly name: string; readonly namespace: string } }): Promise<void>;
  /** Makes every proxy get its certificate again. */
  renewSecrets(): Promise<void>;
}

const startTimeoutMs = 120_000;

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  readonly binary: string;
  /** Number of its cluster. */
  readonly clusterIndex: number;
  readonly input: ControlPlaneInput;
  /** Folder of the certificates of accounts. */
  readonly secretsFolder: string;
  readonly folder: string;
  /** Name of a further control plane of the same cluster. @default that which all pods join */
  readonly revision?: string;
}

/** Creates the control plane of a cluster. */
export function createControlPlane({
  binary,
  clusterIndex,
  input,
  secretsFolder,
  folder,
  revision,
}: ControlPlaneOptions): ControlPlane {
  const address = labAddress(clusterIndex);
  const [discoveryPort, secretsPort] = revision === undefined ? [15010, 15011] : [15030, 15031];
  const addresses = { discovery: `${address}:${discoveryPort}`, secrets: `${address}:${secretsPort}` };
  const name = revision === undefined ? input.cluster : `${input.cluster}-${revision}`;
  const path = (suffix: string) => join(folder, `${name}.${suffix}`);
  const slices = new Map<string, object>();
  let child: Child | undefined;
  const put = (slice: object) => ask(path('control'), 'PUT', '/endpoints', JSON.stringify(slice));
  return {
    addresses,
    async start() {
      const places = { address: addresses.discovery, secretsAddress: addresses.secrets, control: path('control') };
      writeFileSync(path('input.json'), JSON.stringify({ ...input, ...places, secretsFolder }));
      child = startChild({
        name: `control plane ${name}`,
        command: [binary, '-test.run=^TestServe$', '-test.timeout=0'],
        logPath: path('control.log'),
        user: 0,
        cwd: folder,
        env: { ...environment, PATH: systemPath, LAB_INPUT: path('input.json') },
      });
      const deadline = performance.now() + startTimeoutMs;
      while ((await ask(path('control'), 'GET', '/debug/registryz').catch(() => undefined)) === undefined) {
        if (!child.isRunning() || performance.now() > deadline) {
          throw new Error(`the control plane ${name} did not start: ${child.tail()}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      for (const slice of slices.values()) await put(slice);
    },
    async kill() {
      await child?.end('SIGKILL');
    },
    async putEndpoints(slice) {
      slices.set(`${slice.metadata.namespace}/${slice.metadata.name}`, slice);
      if (child?.isRunning()) await put(slice);
    },
    async renewSecrets() {
      await ask(path('control'), 'POST', '/secrets');
    },
  };
}
