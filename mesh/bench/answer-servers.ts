import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { EchoService, ServerStreamResponseSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { ingestFiles } from '../cli/ingest.ts';
import { createProgress } from '../cli/progress.ts';
import { findFiles, type UploadFile } from '../cli/upload/upload.ts';
import { services } from '../run.ts';
import type { ServersReady } from './answers.ts';

// The servers of the answers' benchmark: the whole mesh with its defaults, except that its rate limits are out of the way,
// and a bare connect-node stream. Arguments: folders of data sets; without any, the sample knowledge base.

const key = randomBytes(24).toString('base64url');
const sha256 = createHash('sha256').update(key).digest('hex');
const unlimited = 1_000_000;
const mesh = await startTestMesh(services, {
  config: {
    edge: {
      apiKeys: [{ id: 'bench', sha256, tenant: 'bench', roles: [Role.READER] }],
      tenantRequestsPerSecond: unlimited,
      tenantBurst: unlimited,
      userRequestsPerSecond: unlimited,
      userBurst: unlimited,
      userMaxConcurrent: 100_000,
    },
  },
});
const folders = process.argv.slice(2);
const sample = fileURLToPath(new URL('../../deployments/sample', import.meta.url));
const gold = fileURLToPath(new URL('../../deployments/sample-gold', import.meta.url));

async function filesOf(folder: string): Promise<UploadFile[]> {
  const { files } = await findFiles([join(folder, 'corpus.jsonl')]);
  return files.map((file) => ({ ...file, path: `${basename(folder)}.jsonl` }));
}

const files =
  folders.length === 0 ? (await findFiles([sample])).files : (await Promise.all(folders.map(filesOf))).flat();
const options = await mesh.as(testPrincipal({ tenant: 'bench', groups: ['staff', 'merchant'] }));
const indexer = mesh.client(IndexerService);
const asEditor = new Proxy(indexer, {
  get: (target, name: keyof typeof indexer) => (input: never) =>
    (target[name] as (...args: unknown[]) => unknown)(input, options),
});
const job = await ingestFiles(asEditor, 'help', files, createProgress());
if (job.state !== JobState.SUCCEEDED) throw new Error(`the corpus could not be taken in: ${job.error}`);

const bare = createServer(
  connectNodeAdapter({
    routes: (router) =>
      router.service(EchoService, {
        async *serverStream({ text, count }) {
          for (let index = 0; index < count; index++) yield create(ServerStreamResponseSchema, { text });
        },
      }),
  }),
);
await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));

const questions = (folders.length === 0 ? [gold] : folders)
  .flatMap((folder) => readFileSync(join(folder, 'queries.jsonl'), 'utf8').split('\n').filter(Boolean))
  .map((line) => (JSON.parse(line) as { text: string }).text);
// Languages take turns, so that any run of questions is a fair mixture.
const step = 997;
const mixed = questions.map((_, index) => questions[(index * step) % questions.length] as string);
const { port } = mesh.host.running('edge') as unknown as { port: number };
const ready: ServersReady = {
  edgeUrl: `http://127.0.0.1:${port}`,
  key,
  bareUrl: `http://127.0.0.1:${(bare.address() as AddressInfo).port}`,
  documentCount: Number(job.progress?.documentCount ?? 0),
  questions: mixed,
};
process.send?.(ready);
process.once('disconnect', async () => {
  await mesh.close();
  process.exit(0);
});
