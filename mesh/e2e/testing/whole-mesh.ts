import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { AskRequestSchema, AskResponse, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { AnswerDone, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Passage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { services } from '../../run.ts';
import { loadSample } from '../../start/sample.ts';

/** The whole mesh in this process, on free ports. */
export interface WholeMesh extends TestMesh {
  edgeUrl: string;
  devKey: string;
  customerKey: string;
}

/** A test asks faster than a person: limits are tested in the edge. */
const roomyLimits = {
  tenantRequestsPerSecond: 100_000,
  tenantBurst: 100_000,
  userRequestsPerSecond: 100_000,
  userBurst: 100_000,
  userMaxConcurrent: 100_000,
};

/** Time limits of the stages of an answer that a busy machine does not reach; tests of these limits set their own. */
export const patient = {
  chat: { retrieveTimeoutMs: 60_000, cacheTimeoutMs: 30_000 },
  retrieval: { legTimeoutMs: 30_000, rerankTimeoutMs: 30_000 },
  cache: { durableTimeoutMs: 10_000 },
};

/** Starts every service with the embedded defaults; `sample` loads the sample knowledge base for tenant "demo". */
export async function startWholeMesh(
  options: Parameters<typeof startTestMesh>[1] & { sample?: boolean } = {},
): Promise<WholeMesh> {
  const edge = { ...roomyLimits, ...options.config?.edge };
  const { chat, retrieval, cache } = options.config ?? {};
  const config = {
    ...options.config,
    edge,
    chat: { ...patient.chat, ...chat },
    retrieval: { ...patient.retrieval, ...retrieval },
    cache: { ...patient.cache, ...cache },
  };
  const mesh = await startTestMesh(services, { ...options, config: config as never });
  const { port, devKeys } = mesh.host.running('edge') as unknown as {
    port: number;
    devKeys?: { dev: string; customer: string };
  };
  const sample = options.sample === false ? undefined : await loadSample(mesh.host);
  if (sample?.problem !== undefined) throw new Error(`the sample could not be loaded: ${sample.problem}`);
  return Object.assign(mesh, {
    edgeUrl: `http://127.0.0.1:${port}`,
    devKey: devKeys?.dev ?? '',
    customerKey: devKeys?.customer ?? '',
  });
}

/** A complete answer. */
export interface Answer {
  text: string;
  citations: Citation[];
  sources: Passage[];
  done: AnswerDone;
  events: AskResponse[];
}

/** Asks, and collects the stream. Throws if it ends without `done`. */
export async function askWhole(
  chat: Client<typeof ChatService>,
  request: MessageInitShape<typeof AskRequestSchema>,
  options?: Parameters<Client<typeof ChatService>['ask']>[1],
): Promise<Answer> {
  const events: AskResponse[] = [];
  const citations: Citation[] = [];
  let text = '';
  let sources: Passage[] = [];
  let done: AnswerDone | undefined;
  for await (const response of chat.ask(request, options)) {
    events.push(response);
    const { event } = response;
    switch (event.case) {
      case 'textDelta':
        text += event.value.text;
        break;
      case 'reset':
        text = '';
        break;
      case 'sources':
        sources = event.value.passages;
        break;
      case 'citation':
        citations.push(event.value);
        break;
      case 'done':
        done = event.value;
        break;
    }
  }
  if (done === undefined) throw new Error('the stream ended without done');
  return { text, citations, sources, done, events };
}
