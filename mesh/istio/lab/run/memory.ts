import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Limits of memory as a kubelet sets them: a control group for each process, of either version of the kernel's interface.

/** The folder of groups, and the files of a group, by the version. */
const versions = [
  {
    top: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    kills: 'memory.oom_control',
  },
  { top: '/sys/fs/cgroup', limit: 'memory.max', usage: 'memory.current', kills: 'memory.events' },
] as const;

const prefix = 'ragmesh-lab-';

/** The limit of a pod's process. */
export interface MemoryLimit {
  /** Returns the command that runs another one within the limit. It is run by root. */
  command(inner: readonly string[]): string[];
  set(bytes: number): void;
  /** What its process uses, in bytes. */
  usage(): number;
  /** How often the kernel has killed its process at the limit. */
  killCount(): number;
}

/** Returns the limit of a pod; `undefined` on a machine that lets no one set limits. */
export function memoryLimitOf(pod: string): MemoryLimit | undefined {
  const version = versions.find(({ top, limit }) => canLimit(top, limit));
  if (version === undefined) return undefined;
  const group = join(version.top, `${prefix}${pod}`);
  mkdirSync(group, { recursive: true });
  const read = (file: string) => readFileSync(join(group, file), 'utf8');
  return {
    command: (inner) => ['sh', '-c', `echo $$ > ${join(group, 'cgroup.procs')} && exec "$@"`, 'sh', ...inner],
    set: (bytes) => writeFileSync(join(group, version.limit), String(bytes)),
    usage: () => Number(read(version.usage)),
    killCount: () => Number(/^oom_kill (\d+)$/m.exec(read(version.kills))?.[1] ?? 0),
  };
}

function canLimit(top: string, file: string): boolean {
  const trial = join(top, `${prefix}trial`);
  try {
    mkdirSync(trial, { recursive: true });
    return existsSync(join(trial, file));
  } catch {
    return false;
  } finally {
    if (existsSync(trial)) rmdirSync(trial);
  }
}

/** Returns the bytes of a quantity of Kubernetes: "512Mi". */
export function bytesOf(quantity: string): number {
  const [, count = '', unit = ''] = /^(\d+)(Ki|Mi|Gi)$/.exec(quantity) ?? [];
  const factor = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit];
  if (factor === undefined) throw new Error(`${quantity} is not a number of Ki, Mi or Gi`);
  return Number(count) * factor;
}

/** Removes the groups of the lab. Their processes must have ended. */
export function removeMemoryLimits(): void {
  for (const { top } of versions.filter((version) => existsSync(version.top))) {
    for (const name of readdirSync(top).filter((each) => each.startsWith(prefix))) rmdirSync(join(top, name));
  }
}
