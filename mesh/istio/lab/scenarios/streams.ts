import { type Client, ConnectError } from '@connectrpc/connect';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { refuse, type Scenario, type Scene, until } from './scenario.ts';

/** How a streamed answer ended. */
interface Ending {
  readonly textCount: number;
  readonly isDone: boolean;
  readonly error: string;
}

const corpus = 'rules';

/** Uploads a document through the ingress gateway and waits until it can be found. Does nothing if it was done before. */
export async function uploadDocument(scene: Scene): Promise<void> {
  const indexer = scene.publicClient(IndexerService);
  const known = await indexer.listDocuments({ corpus, pageSize: 10 }).catch(() => ({ documents: [] }));
  if (known.documents.length > 0) return;
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus } } };
      yield { part: { case: 'file' as const, value: { path: 'lab-1', mediaType: 'text/markdown' } } };
      const text = '# Rule lab-1\n\nThe fee of rule lab-1 is 4711 yuan. It applies to every parcel of the order.\n';
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(text) } };
    })(),
  );
  let last = '';
  await until(
    'the document is indexed',
    async () => {
      const { job } = await indexer.getJob({ jobId });
      last = job?.error ?? '';
      if (job?.state === JobState.FAILED) throw new Error(`the document was not indexed: ${last}`);
      return job?.state === JobState.SUCCEEDED;
    },
    300_000,
  );
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

/** A stream through the ingress gateway, five sidecars and the egress gateway lives as long as its answer. */
export const longStream: Scenario = {
  name: 'a stream of many minutes survives',
  async run(scene) {
    await uploadDocument(scene);
    const gapMs = 2000;
    const sentenceCount = Math.ceil(scene.streamMs / gapMs);
    scene.provider.pace = { sentenceCount, gapMs };
    const startedAt = performance.now();
    const { textCount, error } = await askWhole(
      scene.publicClient(ChatService),
      'What is the fee of rule lab-1, at length?',
    );
    scene.provider.pace = { sentenceCount: 1, gapMs: 0 };
    refuse(error === '' ? [] : [`ended after ${Math.round((performance.now() - startedAt) / 1000)} s: ${error}`]);
    return `${Math.round((performance.now() - startedAt) / 1000)} s, ${textCount} parts of its text`;
  },
};
