import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import type { Vector } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import {
  type IndexWriterService,
  type WriteDocumentsRequest,
  WriteDocumentsRequestSchema,
} from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { createProgress } from '../../cli/progress.ts';

// The documents and questions of the benchmark of retrieval, and their index.

/** A document of one chunk. */
export interface Text {
  id: string;
  title: string;
  text: string;
}

/** Clients of the services, and who calls them. */
export interface Indexing {
  writer: Client<typeof IndexWriterService>;
  embedding: Client<typeof EmbeddingService>;
  /** Returns the options of a call that begins now. */
  options(): Promise<CallOptions>;
}

/** The corpus of the index. */
export const corpus = 'help';

/** Returns the lines of a file in each of the folders. */
export function linesOf<T>(folders: readonly string[], file: string): T[] {
  const lines = folders.flatMap((folder) => readFileSync(join(folder, file), 'utf8').split('\n'));
  return lines.filter(Boolean).map((line) => JSON.parse(line) as T);
}

/** Returns the questions; languages take turns, so that any run of them is a fair mixture. */
export function questionsOf(folders: readonly string[]): string[] {
  const texts = linesOf<{ text: string }>(folders, 'queries.jsonl').map(({ text }) => text);
  return texts.map((_, index) => texts[(index * 997) % texts.length] as string);
}

// The real text again and again, each time with its sentences in another order and one left out, so that no two are alike.
function vary({ id, title, text }: Text, round: number): Text {
  if (round === 0) return { id, title, text };
  const sentences = text.split(/(?<=[。！？.!?\n])/u);
  const turned = sentences.map((_, index) => sentences[(index * (2 * round + 1) + round) % sentences.length] as string);
  return { id: `${id}-${round}`, title, text: turned.slice(round % 2).join('') || text };
}

/** Returns `total` different texts made of the documents, from number `from` on. */
export function* textsOf(documents: readonly Text[], from: number, total: number): Generator<Text> {
  for (let index = from; index < from + total; index++) {
    yield vary(documents[index % documents.length] as Text, Math.floor(index / documents.length));
  }
}

/** Writes a version with these documents and publishes it. */
export async function publish(
  indexing: Indexing,
  buildId: string,
  texts: Iterable<Text>,
  total: number,
): Promise<void> {
  const { writer, embedding, options } = indexing;
  const model = (await embedding.listModels({}, await options())).models[0];
  if (model === undefined) throw new Error('no embedding model');
  const space = { embeddingModel: model.name, dimensions: model.dimensions };
  const { version } = await writer.beginVersion({ corpus, buildId, ...space }, await options());
  const progress = createProgress();
  let written = 0;
  const next = texts[Symbol.iterator]();
  // A call has two minutes, on a busy machine too.
  for (let isOver = false; !isOver; ) {
    const some: Text[] = [];
    while (some.length < callSize && !isOver) {
      const { value, done } = next.next();
      if (done === true) isOver = true;
      else some.push(value);
    }
    if (some.length > 0) await writer.writeDocuments(batches(indexing, version, some), await options());
    written += some.length;
    if (total > 1) progress.update(written, total, 'indexing');
  }
  await makeLive(indexing, version);
  progress.end();
}

// On a busy machine the publish of a million chunks takes longer than a call may; it ends nevertheless, and the next call finds the version live.
async function makeLive({ writer, options }: Indexing, version: bigint): Promise<void> {
  for (let left = 10; ; left--) {
    try {
      await writer.publishVersion({ corpus, version }, await options());
      return;
    } catch (error) {
      if (left === 0 || ConnectError.from(error).code !== Code.DeadlineExceeded) throw error;
    }
  }
}

const callSize = 1000;
const batchSize = 200;

async function* batches(
  { embedding, options }: Indexing,
  version: bigint,
  texts: readonly Text[],
): AsyncIterable<WriteDocumentsRequest> {
  for (let start = 0; start < texts.length; start += batchSize) {
    const batch = texts.slice(start, start + batchSize);
    const inputs = batch.map(({ title, text }) => `${title}\n${text}`);
    const vectors: Vector[] = [];
    for await (const part of embedding.embed({ inputs, purpose: Purpose.DOCUMENT }, await options()))
      vectors.push(...part.vectors);
    const documents = batch.map(({ id, title, text }, index) => ({
      documentId: id,
      title,
      chunks: [{ chunkId: `${id}#0`, text, endOffset: text.length, ...(vectors[index] && { vector: vectors[index] }) }],
    }));
    yield create(WriteDocumentsRequestSchema, { corpus, version, documents });
  }
}
