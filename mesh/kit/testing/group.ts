import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceDefinition } from '../host/define-service.ts';
import { connectPipe, type PipeConnection } from '../rpc/pipe/connection.ts';
import { startTestMesh, type TestMesh } from './mesh.ts';

/** A group in this process: an owner and workers over one folder. */
export interface InnerGroup extends AsyncDisposable {
  owner: TestMesh;
  workers: TestMesh[];
  /** Connections of the workers to the owner. */
  connections: PipeConnection[];
}

/** Starts the members of a group in this process, with real sockets between them. */
export async function startInnerGroup(
  services: readonly ServiceDefinition[],
  workerCount: number,
  options: Parameters<typeof startTestMesh>[1] = {},
): Promise<InnerGroup> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-inner-group-'));
  const path = join(folder, 'owner');
  const changesPath = join(folder, 'changes');
  const dataDir = join(folder, 'data');
  const owner = await startTestMesh(services, { ...options, dataDir, group: { role: 'owner', path, changesPath } });
  const connections = Array.from({ length: workerCount }, () => connectPipe(path, 4 << 20));
  const workers: TestMesh[] = [];
  for (const connection of connections) {
    await connection.connected(AbortSignal.timeout(30_000));
    const group = { role: 'worker', owner: connection, changesPath } as const;
    workers.push(await startTestMesh(services, { ...options, dataDir, group }));
  }
  return {
    owner,
    workers,
    connections,
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker.close(true);
      for (const connection of connections) connection.close();
      await owner.close(true);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
