import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { collect, sleep } from '#kit/base/streams.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { services } from '../../run.ts';

// A process that indexes, searches and closes, and has nothing else that keeps it alive. Prints "closed" at its end.

const chosen = services.filter(({ name }) => ['retrieval', 'embedding', 'rerank'].includes(name));
const mesh = await startTestMesh(chosen);
const options = await mesh.as();
const embedding = mesh.client(EmbeddingService);
const [embedded] = await collect(embedding.embed({ inputs: ['returns'], purpose: Purpose.DOCUMENT }, options));
const [vector] = embedded?.vectors ?? [];
if (embedded === undefined || vector === undefined) throw new Error('no vector came');
const retrieval = mesh.client(RetrievalService);
const writer = mesh.client(IndexWriterService);
const { version } = await writer.beginVersion(
  { corpus: 'help', buildId: 'b1', embeddingModel: embedded.model, dimensions: fromVector(vector).length },
  options,
);
async function* documents() {
  const chunk = { chunkId: 'd1#0', ordinal: 0, text: 'returns', endOffset: 7, vector };
  const document = { documentId: 'd1', title: 'Returns', contentHash: new Uint8Array(32), chunks: [chunk] };
  yield { corpus: 'help', version, documents: [document] };
}
await writer.writeDocuments(documents(), options);
await writer.publishVersion({ corpus: 'help', version }, options);
// Enough searches, far enough apart, for the version to be held in memory by a thread of its own.
for (let count = 0; count < 5; count++) {
  await collect(retrieval.retrieve({ query: 'returns' }, options));
  await sleep(100);
}
await mesh.close();
process.stdout.write('closed\n');
