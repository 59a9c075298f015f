import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { ingestFiles } from '../../cli/ingest.ts';
import { createProgress } from '../../cli/progress.ts';
import { findFiles } from '../../cli/upload/upload.ts';
import { services } from '../../run.ts';
import type { CostProcessInit, CostProcessReady } from './children.ts';
import { costConfig } from './config.ts';

// A process of the mesh for the benchmark of costs: the services named in its argument, over the sample knowledge base. It reports the
// CPU time that it has used when it is asked for it.

const init = JSON.parse(process.argv[2] ?? '{}') as CostProcessInit;
// As a process that serves has it: no collector, but a trace id for every request.
const telemetry = startTelemetry(undefined, 'bench');
const chosen = services.filter(({ name }) => init.services.includes(name));
const mesh = await startTestMesh(chosen, {
  known: services,
  tracing: telemetry.recording,
  dataDir: init.dataDir,
  config: costConfig(init),
  // As often as a process that serves checks what it depends on; the checks of tests, forty times as often, would be a part of the cost.
  readinessIntervalMs: 2000,
});

if (chosen.some(({ name }) => name === 'indexer')) {
  const options = await mesh.as(testPrincipal({ tenant: 'bench', groups: ['staff', 'merchant'] }));
  const indexer = mesh.client(IndexerService);
  const asEditor = new Proxy(indexer, {
    get: (target, name: keyof typeof indexer) => (input: never) =>
      (target[name] as (...args: unknown[]) => unknown)(input, options),
  });
  const { files } = await findFiles([fileURLToPath(new URL('../../../deployments/sample', import.meta.url))]);
  const job = await ingestFiles(asEditor, 'help', files, createProgress());
  if (job.state !== JobState.SUCCEEDED) throw new Error(`the sample could not be taken in: ${job.error}`);
}

const gold = fileURLToPath(new URL('../../../deployments/sample-gold', import.meta.url));
const questions = readFileSync(join(gold, 'queries.jsonl'), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => (JSON.parse(line) as { text: string }).text);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system });
});
const ready: CostProcessReady = {
  grpcPort: mesh.host.grpcPort,
  edgePort: (mesh.host.running('edge') as unknown as { port: number } | undefined)?.port ?? 0,
  questions,
};
process.send?.(ready);
process.once('disconnect', async () => {
  await mesh.close(true);
  await telemetry.close();
  process.exit(0);
});
