import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { ingestFiles } from '../../cli/ingest.ts';
import { createProgress } from '../../cli/progress.ts';
import { findFiles } from '../../cli/upload/upload.ts';
import { startGroup } from '../../group/primary.ts';
import { cpuMsOf } from '../process-cpu.ts';
import type { CostProcessInit, CostProcessReady } from './children.ts';
import { costConfig } from './config.ts';

// The primary of a group of two workers for the benchmark of costs. It reports the CPU time that all processes of the group have used.

const init = JSON.parse(process.argv[2] ?? '{}') as CostProcessInit;
const group = await startGroup({
  program: fileURLToPath(new URL('../../run.ts', import.meta.url)),
  args: ['member'],
  workerCount: 2,
  services: init.services,
  config: create(ConfigSchema, { ...costConfig(init), dataDir: init.dataDir }),
  log: createLogger('warn'),
});
const edgePort = group.serving.edge?.port ?? 0;
const indexer = createClient(
  IndexerService,
  createConnectTransport({ baseUrl: `http://127.0.0.1:${edgePort}`, httpVersion: '2' }),
);
const headers = { authorization: `Bearer ${init.key}` };
const asEditor = new Proxy(indexer, {
  get: (target, name: keyof typeof indexer) => (input: never) =>
    (target[name] as (...args: unknown[]) => unknown)(input, { headers }),
});
const { files } = await findFiles([fileURLToPath(new URL('../../../deployments/sample', import.meta.url))]);
const job = await ingestFiles(asEditor, 'help', files, createProgress());
if (job.state !== JobState.SUCCEEDED) throw new Error(`the sample could not be taken in: ${job.error}`);

process.on('message', () => {
  const pids = [process.pid, ...group.pids()];
  const cpuUs = pids.reduce((sum, pid) => sum + (cpuMsOf(pid) ?? 0) * 1000, 0);
  process.send?.({ cpuUs });
});
const ready: CostProcessReady = { grpcPort: group.serving.grpcPort, edgePort, questions: [] };
process.send?.(ready);
process.once('disconnect', async () => {
  await group.close();
  process.exit(0);
});
