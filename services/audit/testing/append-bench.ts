import { readFileSync } from 'node:fs';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { startPostgres } from '#kit/testing/postgres.ts';
import { audit } from '../index.ts';
import { recordOf } from './audit.ts';

// Measures what a durable record costs on both engines: `node services/audit/testing/append-bench.ts [seconds]`. PostgreSQL runs on this
// machine and waits for its disk. Prints records a second, and the CPU of this process and of PostgreSQL for each record.

const runMs = Number(process.argv[2] ?? 5) * 1000;

/** CPU time of PostgreSQL so far, in milliseconds: of its running processes, and of those that it has waited for (Linux). */
function serverCpuMs(parent: number): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').filter(Boolean);
  const ticks = [String(parent), ...children].map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, waitedUser = 0, waitedSystem = 0] = fields.slice(11, 15);
    return user + system + waitedUser + waitedSystem;
  });
  return ticks.reduce((sum, count) => sum + count, 0) * 10;
}

async function measure(engine: string, database?: string, serverPid = 0): Promise<void> {
  await using mesh = await startTestMesh([audit], { config: database === undefined ? {} : { storage: { database } } });
  const client = mesh.client(AuditService);
  const serverCpu = () => (serverPid === 0 ? 0 : serverCpuMs(serverPid));
  const options = await mesh.as();
  const evidence = Array.from({ length: 6 }, (_, index) => ({ chunkId: `c${index}`, documentId: `doc-${index}` }));
  let count = 0;
  const write = async (untilMs: number) => {
    while (performance.now() < untilMs) await client.record(recordOf(`${engine}-${++count}`, { evidence }), options);
  };
  await Promise.all(Array.from({ length: 32 }, () => write(performance.now() + 1000)));
  for (const callers of [1, 32, 256]) {
    const [countBefore, cpuBefore, serverBefore, from] = [count, process.cpuUsage(), serverCpu(), performance.now()];
    await Promise.all(Array.from({ length: callers }, () => write(from + runMs)));
    const records = count - countBefore;
    const { user, system } = process.cpuUsage(cpuBefore);
    const perSecond = (records / (performance.now() - from)) * 1000;
    const server =
      database === undefined ? '' : `, PostgreSQL ${((serverCpu() - serverBefore) / records).toFixed(3)} ms`;
    const own = ((user + system) / 1000 / records).toFixed(3);
    process.stdout.write(`${engine}, ${callers} callers: ${perSecond.toFixed(0)} records/s, CPU ${own} ms${server}\n`);
  }
}

await using server = await startPostgres({ isDurable: true });
// In turns, so that a busy machine affects both alike.
for (let round = 0; round < 2; round++) {
  await measure('sqlite');
  await measure('postgres', await server.createDatabase(), server.pid());
}
