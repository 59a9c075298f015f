import { type Client, ConnectError } from '@connectrpc/connect';
import type { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { hostOf } from '../../../model/installation.ts';
import type { Reply } from '../../clients/wire.ts';
import { type Scenario, type Scene, until } from '../scenario.ts';

/** How a streamed answer ended. */
interface Ending {
  readonly textCount: number;
  readonly isDone: boolean;
  readonly error: string;
}

const corpus = 'rules';

const text = '# Rule lab-1\n\nThe fee of rule lab-1 is 4711 yuan. It applies to every parcel of the order.\n';

/** Uploads a document through the ingress gateway and waits until it can be found. Does nothing if it was done before. */
export async function uploadDocument(scene: Scene): Promise<void> {
  const indexer = scene.publicClient(IndexerService);
  const known = await indexer.listDocuments({ corpus, pageSize: 10 }).catch(() => ({ documents: [] }));
  if (known.documents.length > 0) return;
  await untilIndexed(scene, (await indexer.ingestDocuments(upload('lab-1', [text], 0))).jobId);
}

/** Yields the messages of an upload of one document, whose parts come one after the other. */
async function* upload(path: string, parts: Iterable<string>, gapMs: number) {
  yield { part: { case: 'start' as const, value: { corpus } } };
  yield { part: { case: 'file' as const, value: { path, mediaType: 'text/markdown' } } };
  let isFirst = true;
  for (const part of parts) {
    if (!isFirst) await new Promise((resolve) => setTimeout(resolve, gapMs));
    isFirst = false;
    yield { part: { case: 'data' as const, value: new TextEncoder().encode(part) } };
  }
}

async function untilIndexed(scene: Scene, jobId: string): Promise<void> {
  const indexer = scene.publicClient(IndexerService);
  const isIndexed = async () => {
    const { job } = await indexer.getJob({ jobId });
    if (job?.state === JobState.FAILED) throw new Error(`the document was not indexed: ${job.error}`);
    return job?.state === JobState.SUCCEEDED;
  };
  await until('the document is indexed', isIndexed, 300_000);
}

/** Asks a question and reads the answer to its end. */
export async function askWhole(chat: Client<typeof ChatService>, question: string): Promise<Ending> {
  let textCount = 0;
  let isDone = false;
  try {
    for await (const { event } of chat.ask({ question, corpora: [corpus], bypassCache: true })) {
      if (event.case === 'textDelta') textCount++;
      if (event.case === 'done') isDone = true;
    }
    return { textCount, isDone, error: isDone ? '' : 'ended without its last event' };
  } catch (error) {
    return { textCount, isDone, error: ConnectError.from(error).message };
  }
}

/** Wait between the parts of the long stream, in milliseconds. */
const partGapMs = 2000;

/**
 * An upload through the ingress gateway, the edge and the indexer lives as long as its client: of all streams, its contract allows the longest. Beside
 * it, a stream between two services is silent in both directions for the same time: at the entrance, the edge ends uploads that pause for a minute.
 */
export const longStream: Scenario = {
  name: 'streams of many minutes survive: one through all services, and one between two that is silent',
  async run(scene) {
    const partCount = Math.ceil(scene.streamMs / partGapMs);
    const parts = Array.from({ length: partCount }, (_, at) => (at === 0 ? text : `\nLine ${at} of rule lab-2.\n`));
    const [lived, ending] = await Promise.all([uploadSlowly(scene, 'lab-2', parts, partGapMs), staySilent(scene)]);
    if (!ending?.isFromBehind) throw new Error(`the silent stream ended: code ${ending?.code} "${ending?.message}"`);
    return `${lived} s with ${partCount} parts, and ${scene.streamMs / 1000} s in silence`;
  },
};

/** Holds a stream from the workload that clients call to the indexer without a message. Returns how it ends when its client ends it. */
async function staySilent(scene: Scene): Promise<Reply | undefined> {
  const { lab, home } = scene;
  const entry = lab.options.model.workloads.find(({ isEntry }) => isEntry);
  const caller = scene.from(lab.firstOf(home, entry?.name ?? '').pod.name);
  const origin = `http://${hostOf('indexer', lab.options.names)}:${lab.options.names.ports.grpc}`;
  const path = '/ragmesh.indexer.v1.IndexerService/IngestDocuments';
  await caller.hold({ origin, path, headers: await scene.meshHeaders(), count: 1, endedCount: 0 });
  await new Promise((resolve) => setTimeout(resolve, scene.streamMs));
  // Nothing is left to release if the stream has ended before.
  const [ending] = await caller.release();
  return ending;
}

/** Returns how long the stream has lived, in seconds. */
async function uploadSlowly(scene: Scene, path: string, parts: readonly string[], gapMs: number): Promise<number> {
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  const { jobId } = await scene
    .publicClient(IndexerService)
    .ingestDocuments(upload(path, parts, gapMs))
    .catch((error: unknown) => {
      throw new Error(`${path} ended after ${seconds()} s: ${ConnectError.from(error).message}`);
    });
  const lived = seconds();
  await untilIndexed(scene, jobId);
  return lived;
}
