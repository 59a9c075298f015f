import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Child, startChild, systemPath } from '../run/child.ts';
import { type ApiClient, createApiClient } from './api-client.ts';

/** The API of Kubernetes of a cluster: a real API server with its database, and no controllers. */
export interface ApiServer {
  readonly client: ApiClient;
  /** The configuration of a client in the place of an administrator, as YAML. */
  kubeconfig(): string;
  start(): Promise<void>;
}

const startTimeoutMs = 120_000;
/** The one user: an administrator. */
const token = 'lab';

/** Creates the API server of a cluster. `binary`: the program of go-kube; `folder`: one of its own. */
export function createApiServer(binary: string, clusterIndex: number, folder: string): ApiServer {
  const path = (name: string) => join(folder, name);
  const port = 22_040 + clusterIndex;
  const database = `127.0.0.1:${22_050 + clusterIndex}`;
  const client = createApiClient({ port, token });
  return {
    client,
    kubeconfig() {
      const certificate = readFileSync(path('certificates/apiserver.crt')).toString('base64');
      const cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': certificate };
      const config = {
        clusters: [{ name: 'lab', cluster }],
        users: [{ name: 'lab', user: { token } }],
        contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
      };
      return stringify({ apiVersion: 'v1', kind: 'Config', ...config, 'current-context': 'lab' });
    },
    async start() {
      mkdirSync(folder, { recursive: true });
      execFileSync('openssl', ['genrsa', '-out', path('accounts.key'), '2048'], { stdio: 'pipe' });
      writeFileSync(path('tokens.csv'), `${token},admin,admin,system:masters\n`);
      const flags = {
        'etcd-servers': `http://${database}`,
        'bind-address': '127.0.0.1',
        'advertise-address': '127.0.0.1',
        'secure-port': port,
        'cert-dir': path('certificates'),
        'service-account-key-file': path('accounts.key'),
        'service-account-signing-key-file': path('accounts.key'),
        'service-account-issuer': 'https://kubernetes.default.svc',
        'service-cluster-ip-range': '10.96.0.0/16',
        'token-auth-file': path('tokens.csv'),
        'authorization-mode': 'RBAC',
        'endpoint-reconciler-type': 'none',
      };
      const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      const child: Child = startChild({
        name: `API server ${clusterIndex}`,
        command: [binary, 'api', ...args],
        logPath: path('api.log'),
        user: 0,
        cwd: folder,
        env: { PATH: systemPath, LAB_DATABASE: path('database'), LAB_DATABASE_ADDRESS: database },
      });
      const deadline = performance.now() + startTimeoutMs;
      while (!(await client.isReady())) {
        if (!child.isRunning() || performance.now() > deadline) throw new Error(`no API server: ${child.tail()}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
  };
}
