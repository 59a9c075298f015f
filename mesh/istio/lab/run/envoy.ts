import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Pod } from '../cluster/pods.ts';
import { bootstrapOf, type ControlPlaneAddresses } from './bootstrap.ts';
import { type Child, startChild } from './child.ts';
import { commandOn, sidecarUser } from './network.ts';

/** The Envoy of a pod. */
export interface Sidecar {
  readonly process: Child;
  /** Returns numbers by the names that a regular expression matches. */
  stats(filter: string): Promise<Map<string, number>>;
  /** Resolves once it has a configuration. Rejects if it has refused one. */
  ready(): Promise<void>;
  /** Begins the end of its incoming connections, as Istio's agent does when a pod ends. */
  drain(): Promise<void>;
}

/** Time in which connections of a changed listener end, in seconds: the `drainDuration` of the mesh. */
const drainSeconds = 45;
const readyTimeoutMs = 120_000;

/** Starts the Envoy of a pod on its host. */
export function startSidecar(envoy: string, pod: Pod, controlPlane: ControlPlaneAddresses, folder: string): Sidecar {
  const configPath = join(folder, `${pod.name}.envoy.json`);
  const adminPath = join(folder, 'admin', `${pod.name}.sock`);
  writeFileSync(configPath, JSON.stringify(bootstrapOf(pod, controlPlane, adminPath)));
  chmodSync(configPath, 0o644);
  const flags = [
    '--concurrency',
    '1',
    '--disable-hot-restart',
    '--drain-time-s',
    String(drainSeconds),
    '-l',
    'warning',
  ];
  const process = startChild({
    name: `${pod.name} sidecar`,
    command: commandOn(pod.name, sidecarUser, [envoy, '-c', configPath, ...flags]),
    logPath: join(folder, `${pod.name}.envoy.log`),
    user: sidecarUser,
    cwd: folder,
  });
  const stats = async (filter: string) => {
    const text = await ask(adminPath, 'GET', `/stats?filter=${encodeURIComponent(filter)}`);
    const lines = text.split('\n').map((line) => /^(\S+): (\d+)$/.exec(line));
    return new Map(lines.flatMap((line) => (line === null ? [] : [[line[1] ?? '', Number(line[2])]])));
  };
  return {
    process,
    stats,
    async ready() {
      const deadline = performance.now() + readyTimeoutMs;
      for (;;) {
        const found = await stats('(lds|cds|rds).*update_(success|rejected)$').catch(() => new Map<string, number>());
        const refused = [...found].filter(([name, count]) => name.endsWith('rejected') && count > 0);
        if (refused.length > 0) throw new Error(`${pod.name} refused its configuration: ${process.tail()}`);
        if ((found.get('listener_manager.lds.update_success') ?? 0) > 0) return;
        if (!process.isRunning() || performance.now() > deadline) {
          throw new Error(`the sidecar of ${pod.name} has no configuration: ${process.tail()}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    drain: async () => void (await ask(adminPath, 'POST', '/drain_listeners?inboundonly&graceful')),
  };
}

/** Makes the folder of admin sockets, which Envoy creates. */
export function prepareSockets(folder: string): void {
  chownSync(folder, sidecarUser, sidecarUser);
}

/** Sends a request to a Unix socket. Returns the body; rejects if the status is not 200. */
export function ask(socketPath: string, method: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: { host: 'lab' } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 500)}`));
      });
    });
    sent.setTimeout(10_000, () => sent.destroy(new Error(`${method} ${path}: no reply in 10 s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
