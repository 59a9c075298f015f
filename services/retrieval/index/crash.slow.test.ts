import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteThreads } from '../sqlite/threads.ts';
import { crashSuite } from '../suites/crash.suite.ts';
import { openRetrieval } from '../testing/local-stores.ts';

crashSuite(openRetrieval);

test('a process that is killed while it writes loses nothing that was acknowledged, and continues', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-crash-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const threads = createSqliteThreads(1);
  onTestFinished(() => threads.close());
  const child = fileURLToPath(new URL('../testing/child.ts', import.meta.url));
  const total = 9;
  let acknowledged = 0;
  for (let start = 0; acknowledged < total; start++) {
    const process_ = spawn(process.execPath, [child, dataDir, String(total)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise((resolve) => process_.once('exit', resolve));
    let ofThisRun = 0;
    for await (const line of createInterface({ input: process_.stdout })) {
      const { batch, isNew } = JSON.parse(line) as { batch: number; isNew: boolean };
      acknowledged = Math.max(acknowledged, batch);
      // Each run makes progress, and all but the last are killed while the next batch is in flight.
      if (isNew && ++ofThisRun === 3 && acknowledged < total) process_.kill('SIGKILL');
    }
    await exited;
    expect(start).toBeLessThan(total);
  }
  const retrieval = await openRetrieval(dataDir, threads);
  const version = await retrieval.begin('help', 'build-1');
  expect(await retrieval.count('help', version)).toEqual([total * 10, total * 10, total * 10, total * 10, 0]);
  await retrieval.publish('help', version);
  expect(await retrieval.count('help')).toEqual([total * 10, total * 10, total * 10, total * 10, 0]);
  await retrieval.close();
});
