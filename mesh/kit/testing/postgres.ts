import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort, hasCommand } from './server.ts';

// A real PostgreSQL for tests, in a folder of its own. It refuses to run as root, so root starts it as another user.

const folderOfCommands = findCommands();

/** Whether this machine has PostgreSQL. */
export const hasPostgres = folderOfCommands !== undefined;

/** What to do if it has none. */
export const postgresAdvice = 'apt-get install postgresql';

/** A PostgreSQL that a test has started. */
export interface TestPostgres extends AsyncDisposable {
  readonly port: number;
  /** Its first process; each connection has a child of it. */
  pid(): number;
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** Ends it as an administrator does: connections are cut, nothing is lost. */
  stop(): Promise<void>;
  /** Kills all its processes. */
  kill(): Promise<void>;
  /** Starts it again at the same port, after `stop` or `kill`. */
  start(): Promise<void>;
  /** Suspends all its processes (SIGSTOP), and lets them continue. */
  pause(): void;
  resume(): void;
  /** Cuts the connections of all clients. */
  dropConnections(): Promise<void>;
}

const startTimeoutMs = 60_000;

/** Starts a PostgreSQL on loopback. `isDurable`: whether it waits for the disk, for tests that kill it. @default false */
export async function startPostgres({ isDurable = false } = {}): Promise<TestPostgres> {
  if (folderOfCommands === undefined) throw new Error(`there is no PostgreSQL: ${postgresAdvice}`);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-postgres-'));
  const user = otherUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const command = (name: string) => join(folderOfCommands, name);
  const data = join(folder, 'data');
  const init = ['--no-sync', '--auth=trust', '--username=ragmesh', '--encoding=UTF8', '--locale=C', '-D', data];
  execFileSync(command('initdb'), init, { ...user, cwd: folder, stdio: 'ignore' });
  const options = { listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: '200' };
  const fast = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
  const settings = Object.entries({ ...options, ...(isDurable ? {} : fast) });
  const args = ['-D', data, '-p', String(port), ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  let child: ChildProcess | undefined;
  const urlOf = (database: string) => `postgres://ragmesh@127.0.0.1:${port}/${database}`;

  const admin = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: urlOf('postgres') });
    client.on('error', () => {});
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    const started = spawn(command('postgres'), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    let output = '';
    started.stderr.on('data', (bytes) => {
      output = (output + String(bytes)).slice(-10_000);
    });
    const deadline = Date.now() + startTimeoutMs;
    while (!(await admin(async () => true).catch(() => false))) {
      if (started.exitCode !== null || Date.now() > deadline) throw new Error(`postgres did not start: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const ended = async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const signalAll = (signal: NodeJS.Signals): number[] => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return [];
    // The parent stops first, so that it starts no further process. Its children are in groups of their own.
    process.kill(child.pid, 'SIGSTOP');
    const pids = [...childrenOf(child.pid), child.pid];
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    return pids;
  };
  const kill = async () => {
    const pids = signalAll('SIGKILL');
    await ended();
    // A process that still ends holds the shared memory, and no other one can start over the folder.
    while (processes().some(({ pid, isZombie }) => pids.includes(pid) && !isZombie)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  await start();
  let databaseCount = 0;
  return {
    port,
    pid: () => child?.pid ?? 0,
    async createDatabase() {
      const name = `test_${++databaseCount}`;
      await admin((client) => client.query(`CREATE DATABASE ${name}`));
      return urlOf(name);
    },
    async stop() {
      child?.kill('SIGINT');
      await ended();
    },
    kill,
    start,
    pause() {
      signalAll('SIGSTOP');
    },
    resume() {
      signalAll('SIGCONT');
    },
    async dropConnections() {
      await admin((client) =>
        client.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
        ),
      );
    },
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findCommands(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'postgres')));
  if (found !== undefined) return found;
  if (!hasCommand('postgres') || !hasCommand('initdb')) return undefined;
  return join(execFileSync('which', ['postgres'], { encoding: 'utf8' }).trim(), '..');
}

function otherUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: idOf('-u', user), gid: idOf('-g', user) };
    } catch {}
  }
  throw new Error('postgres refuses to run as root, and there is no user "postgres" or "nobody"');
}

function childrenOf(parent: number): number[] {
  return processes().flatMap(({ pid, parentPid }) => (parentPid === parent ? [pid] : []));
}

function processes(): { pid: number; parentPid: number; isZombie: boolean }[] {
  const lines = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid, parentPid, state = ''] = line.trim().split(/\s+/);
    return { pid: Number(pid), parentPid: Number(parentPid), isZombie: state.startsWith('Z') };
  });
}

/** Connects to a database, for someone who reads and changes the tables of a schema directly. */
export async function connectTo(url: string, schema: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, options: `-c search_path=${schema}` });
  await client.connect();
  return client;
}
