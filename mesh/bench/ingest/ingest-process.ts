import { statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { ingestFiles } from '../../cli/ingest.ts';
import { createProgress } from '../../cli/progress.ts';
import { services } from '../../run.ts';
import { processMemory } from '../process-memory.ts';

// One ingest into the whole mesh in this process, with its defaults. Argument: the file.

/** What an ingest used. Sizes are of the process, in bytes. */
export interface IngestFigures {
  documentCount: number;
  chunkCount: number;
  /** From the first byte of the upload until the version is live. */
  seconds: number;
  cpuSeconds: number;
  /** Resident memory before. */
  beforeBytes: number;
  /** The most resident memory from the beginning to half a minute after the end. */
  peakBytes: number;
  /** The most of it that is no page of a file, which the system takes back when it needs it: SQLite maps its files. */
  peakOwnBytes: number;
  /** Resident memory half a minute after the end. */
  laterBytes: number;
  /** What the search in memory takes of it. */
  snapshotBytes: number;
}

const [file = ''] = process.argv.slice(2);
const settleMs = 3_000;
const laterMs = 30_000;
const sampleMs = 200;
/** Largest ingest, on a busy machine. */
const timeoutMs = 1_800_000;

async function snapshotBytes(adminPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const values = [...text.matchAll(/^ragmesh_snapshot_bytes\{.*\} (\S+)$/gm)].map(([, value]) => Number(value));
  return values.reduce((sum, value) => sum + value, 0);
}

const mesh = await startTestMesh(services);
const options = await mesh.as(testPrincipal({ tenant: 'bench' }), { timeoutMs });
const indexer = mesh.client(IndexerService);
const asEditor = new Proxy(indexer, {
  get: (target, name: keyof typeof indexer) => (input: never) =>
    (target[name] as (...args: unknown[]) => unknown)(input, options),
});
await sleep(settleMs);
writeFileSync('/proc/self/clear_refs', '5');
const before = processMemory();
let peakOwnBytes = before.ownBytes;
const sampling = setInterval(() => {
  peakOwnBytes = Math.max(peakOwnBytes, processMemory().ownBytes);
}, sampleMs);
const cpu = process.cpuUsage();
const startedAt = performance.now();
const upload = [{ file, path: 'help.jsonl', sizeBytes: statSync(file).size }];
const job = await ingestFiles(asEditor, 'help', upload, createProgress());
if (job.state !== JobState.SUCCEEDED) throw new Error(`the corpus could not be indexed: ${job.error}`);
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpu);
await sleep(laterMs);
clearInterval(sampling);
const after = processMemory();
const figures: IngestFigures = {
  documentCount: Number(job.progress?.documentCount),
  chunkCount: Number(job.progress?.chunkCount),
  seconds,
  cpuSeconds: (user + system) / 1_000_000,
  beforeBytes: before.residentBytes,
  peakBytes: after.peakBytes,
  peakOwnBytes,
  laterBytes: after.residentBytes,
  snapshotBytes: await snapshotBytes(mesh.host.adminPort),
};
process.send?.(figures);
await mesh.close();
process.exit(0);
