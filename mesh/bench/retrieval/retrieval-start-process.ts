import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { services } from '../../run.ts';
import { latencies, percentile } from '../measure.ts';
import type { StartFigures } from './retrieval.ts';
import { corpus, questionsOf } from './retrieval-data.ts';

// Measures the first answer of a process over an index that is there. Arguments: the data folder, then folders of data sets.

const [dataDir = '', ...folders] = process.argv.slice(2);
const questions = questionsOf(folders);
const names = new Set(['retrieval', 'embedding', 'rerank']);
const startedAt = performance.now();
const mesh = await startTestMesh(
  services.filter(({ name }) => names.has(name)),
  { dataDir },
);
const readyUrl = `http://127.0.0.1:${mesh.host.adminPort}/readyz`;
while ((await fetch(readyUrl)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
const readyMs = performance.now() - startedAt;
const client = mesh.client(RetrievalService);
const options = await mesh.as(undefined, { timeoutMs: 60_000 });
const search = async (index: number) => {
  const askedAt = performance.now();
  for await (const _ of client.retrieve({ query: questions[index] as string, corpora: [corpus] }, options));
  return performance.now() - askedAt;
};
const cpuOf = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1000];
};
const [firstMs, firstCpuMs] = await cpuOf(() => search(0));
await latencies(1, 300, (index) => search(index + 1));
const [warm, warmCpuMs] = await cpuOf(() => latencies(1, 300, (index) => search(index + 301)));
const figures: StartFigures = {
  ...{ readyMs, firstMs, warmMs: percentile(warm, 0.5) },
  ...{ firstCpuMs, warmCpuMs: warmCpuMs / warm.length },
};
await mesh.close(true);
process.send?.(figures);
process.once('disconnect', () => process.exit(0));
