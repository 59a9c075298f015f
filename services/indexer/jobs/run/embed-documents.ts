import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import type { Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { hasReason, internal, toRpcError } from '#kit/base/errors.ts';
import { toVector } from '#kit/base/vectors.ts';
import { labelsOf } from '#kit/personal-data/seal.ts';
import type { PreparedDocument, PrepareOptions } from '../../prepare/prepared.ts';
import type { EmbeddedDocument } from './index-client.ts';

const inputsMax = 256;
const inputLengthMax = 300_000;
const replyBytesMax = 2 << 20;

/** Documents that a model does not take; with more of them in a batch, not the documents are at fault. */
const refusedMax = 16;

/** Documents with their vectors, and those that the model does not take. */
export interface Embedded {
  embedded: EmbeddedDocument[];
  refused: { document: PreparedDocument; message: string }[];
}

/**
 * Embeds documents that bring no vectors. If the model does not take the texts of all together (INVALID_ARGUMENT: some providers refuse texts by their content),
 * finds those that it refuses also alone. Throws if it refuses more than 16, or any text.
 */
export async function embedDocuments(
  embedding: Pick<Client<typeof EmbeddingService>, 'embed'>,
  documents: readonly PreparedDocument[],
  options: PrepareOptions,
  call: () => Promise<CallOptions>,
): Promise<Embedded> {
  const { made = [], others = [] } = Object.groupBy(documents, ({ vectors }) => (vectors ? 'made' : 'others'));
  const result: Embedded = {
    embedded: made.map((document) => ({ document, vectors: (document.vectors ?? []).map(toVector) })),
    refused: [],
  };
  if (others.length === 0) return result;
  const embed = async (some: readonly PreparedDocument[]): Promise<void> => {
    try {
      result.embedded.push(...(await embedTogether(embedding, some, options, call)));
    } catch (error) {
      const { code, rawMessage } = toRpcError(error);
      if (code !== Code.InvalidArgument || hasReason(error, ErrorReason.MODEL_UNKNOWN)) throw error;
      const [first] = some;
      if (some.length === 1 && first !== undefined) result.refused.push({ document: first, message: rawMessage });
      else {
        const half = Math.ceil(some.length / 2);
        await embed(some.slice(0, half));
        await embed(some.slice(half));
      }
      if (result.refused.length > refusedMax) throw error;
    }
  };
  await embed(others);
  // If it refuses this text as well, not the documents are at fault.
  if (result.refused.length === others.length)
    await embedAll(embedding, { model: options.embeddingModel, inputs: ['text'] }, call);
  return result;
}

/** Embeds the chunks of documents and returns their vectors. Each input includes title and headings, for context. */
async function embedTogether(
  embedding: Pick<Client<typeof EmbeddingService>, 'embed'>,
  documents: readonly PreparedDocument[],
  { embeddingModel, dimensions }: PrepareOptions,
  call: () => Promise<CallOptions>,
): Promise<EmbeddedDocument[]> {
  const inputs = documents.flatMap(inputsOf);
  const vectors: Vector[] = [];
  for (const part of parts(inputs, Math.min(inputsMax, Math.max(1, Math.floor(replyBytesMax / (dimensions * 4)))))) {
    vectors.push(...(await embedAll(embedding, { model: embeddingModel, inputs: part }, call)));
  }
  let first = 0;
  return documents.map((document) => {
    const own = vectors.slice(first, first + document.chunks.length);
    first += document.chunks.length;
    return { document, vectors: own };
  });
}

/** Returns the vectors of texts. If a call ends at its deadline, the remaining texts are sent in a further call. */
async function embedAll(
  embedding: Pick<Client<typeof EmbeddingService>, 'embed'>,
  { model, inputs }: { model: string; inputs: readonly string[] },
  call: () => Promise<CallOptions>,
): Promise<Vector[]> {
  const vectors: Vector[] = [];
  for (;;) {
    const before = vectors.length;
    const request = { model, inputs: inputs.slice(before), purpose: Purpose.DOCUMENT, truncate: true };
    try {
      for await (const reply of embedding.embed(request, await call())) vectors.push(...reply.vectors);
    } catch (error) {
      if (toRpcError(error).code === Code.DeadlineExceeded && vectors.length > before) continue;
      throw error;
    }
    if (vectors.length === inputs.length) return vectors;
    throw internal(new Error(`received ${vectors.length} vectors for ${inputs.length} texts`));
  }
}

function inputsOf({ title, text, chunks }: PreparedDocument): string[] {
  return chunks.map(({ start, end, headingPath, context }) =>
    [title, headingPath.join(' > '), labelsOf(text.slice(start, end)), context?.text ?? '']
      .filter((line) => line !== '')
      .join('\n'),
  );
}

function* parts(inputs: readonly string[], countMax: number): Iterable<string[]> {
  let open: string[] = [];
  let length = 0;
  for (const input of inputs) {
    if (open.length > 0 && (open.length >= countMax || length + input.length > inputLengthMax)) {
      yield open;
      open = [];
      length = 0;
    }
    open.push(input);
    length += input.length;
  }
  if (open.length > 0) yield open;
}
