import type { CallOptions, Client } from '@connectrpc/connect';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import {
  type LLMGatewayService,
  MessageRole,
  MidStreamPolicy,
  Outcome,
  Task,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { within } from '#kit/base/within.ts';
import type { Enrichment } from '../../config.ts';
import type { CorpusScope, DocumentStore } from '../../documents/document-store.ts';
import { forEachConcurrently } from '../../jobs/run/for-each.ts';
import { hashDocument } from '../../prepare/content-hash.ts';
import type { PreparedDocument, PreparedNote, PrepareOptions } from '../../prepare/prepared.ts';
import type { Chunk } from '../chunk.ts';
import { completionTokens, groupsOf, instructionsFor, nameOf, readReply, textFor } from './prompt.ts';

/** What enrichment needs. */
export interface EnrichDeps {
  /** Returns the client of the gateway. Throws if this process cannot reach it. */
  llm(): Pick<Client<typeof LLMGatewayService>, 'generate'>;
  documents: Pick<DocumentStore, 'sources'>;
}

/** Documents with what a model has written about their chunks. */
export interface Enriched {
  documents: PreparedDocument[];
  /** Documents with parts about which nothing was written. */
  notes: PreparedNote[];
}

/** The enrichment of one job. */
export interface Enricher {
  /**
   * Returns the documents with what a model has written about their chunks. What it has written about the same text before, in one of the
   * `earlier` contents of a document, is used again. Throws only if `signal` aborts.
   */
  enrich(documents: readonly PreparedDocument[], earlier: ReadonlyMap<string, readonly string[]>): Promise<Enriched>;
}

/** Returns what documents of a corpus are enriched with; `undefined`: nothing. */
export function enrichmentFor(settings: Enrichment | undefined, corpus: string): Enrichment | undefined {
  if (settings === undefined) return undefined;
  return settings.corpora.size === 0 || settings.corpora.has(corpus) ? settings : undefined;
}

const concurrentMax = 4;
/** Calls that fail one after another before the model is not asked again in this job. */
const failuresMax = 5;
/** Longest reply that is read, in UTF-16 code units. */
const replyLengthMax = 65_536;

/** Creates the enrichment of a job. `call` returns options for a call of the gateway. */
export function createEnricher(
  settings: Enrichment,
  scope: CorpusScope,
  options: PrepareOptions,
  { llm, documents: store }: EnrichDeps,
  call: () => Promise<CallOptions>,
  signal: AbortSignal,
): Enricher {
  const name = nameOf(settings);
  let leftCalls = settings.maxCalls;
  let failedInRow = 0;

  /** Asks about a group of chunks. Returns what was written, by position; `undefined` if the model did not say or was not asked. */
  const ask = async (document: PreparedDocument, chunks: readonly Chunk[]) => {
    if (leftCalls <= 0 || failedInRow >= failuresMax) return undefined;
    leftCalls--;
    try {
      const reply = await complete(llm(), settings, textFor(document, chunks), chunks.length, await call(), signal);
      const found = reply === undefined ? undefined : readReply(reply, chunks.length, settings);
      failedInRow = found === undefined ? failedInRow + 1 : 0;
      return found;
    } catch {
      signal.throwIfAborted();
      failedInRow++;
      return undefined;
    }
  };

  const enrichOne = async (
    document: PreparedDocument,
    written: ReadonlyMap<string, string>,
  ): Promise<{ document: PreparedDocument; missingCount: number }> => {
    const contexts = new Map<Chunk, string>();
    for (const chunk of document.chunks) {
      const known = chunk.context?.by === name ? chunk.context.text : written.get(keyOf(document, chunk));
      if (known !== undefined) contexts.set(chunk, known);
    }
    const unknown = document.chunks.filter((chunk) => !contexts.has(chunk));
    let missingCount = 0;
    for (const chunks of groupsOf(document, unknown)) {
      const found = await ask(document, chunks);
      if (found === undefined) missingCount += chunks.length;
      // About a part with nothing to say, nothing is written, and it is not asked for again.
      else for (const [index, chunk] of chunks.entries()) contexts.set(chunk, found.get(index) ?? '');
    }
    const chunks = document.chunks.map(({ context: _, ...chunk }, index) => {
      const text = contexts.get(document.chunks[index] as Chunk);
      return text === undefined ? chunk : { ...chunk, context: { by: name, text } };
    });
    // With the hash of a document that is not enriched, the next upload of it asks again.
    const hash =
      missingCount === 0 ? {} : { contentHash: hashDocument(document, { ...options, enrichment: undefined }) };
    return { document: { ...document, chunks, ...hash }, missingCount };
  };

  return {
    async enrich(documents, earlier) {
      const written = await readEarlier(store, scope, earlier, name);
      const done = new Map<string, PreparedDocument>();
      const notes: PreparedNote[] = [];
      // A document that brings its vectors was made elsewhere.
      const open = documents.filter(({ vectors }) => vectors === undefined);
      await forEachConcurrently(toAsync(open), concurrentMax, async (given) => {
        const { document, missingCount } = await enrichOne(given, written);
        done.set(given.documentId, document);
        if (missingCount > 0) notes.push(noteOf(given, missingCount));
      });
      return { documents: documents.map((document) => done.get(document.documentId) ?? document), notes };
    },
  };
}

/** Identifies a chunk by what the model reads of it. */
const keyOf = ({ documentId, title, text }: Pick<PreparedDocument, 'documentId' | 'title' | 'text'>, chunk: Chunk) =>
  JSON.stringify([documentId, title, chunk.headingPath, text.slice(chunk.start, chunk.end)]);

/** Returns what was written about chunks of contents that are stored, by {@link keyOf}. */
async function readEarlier(
  store: Pick<DocumentStore, 'sources'>,
  scope: CorpusScope,
  earlier: ReadonlyMap<string, readonly string[]>,
  name: string,
): Promise<Map<string, string>> {
  const written = new Map<string, string>();
  const longest = Math.max(0, ...[...earlier.values()].map(({ length }) => length));
  for (let round = 0; round < longest; round++) {
    const contents = [...earlier].flatMap(([documentId, hashes]) => {
      const contentHash = hashes[round];
      return contentHash === undefined ? [] : [{ documentId, contentHash }];
    });
    for (const source of (await store.sources(scope, contents)).values()) {
      for (const chunk of source.chunks ?? []) {
        if (chunk.context?.by === name) written.set(keyOf(source, chunk), chunk.context.text);
      }
    }
  }
  return written;
}

/** Returns a whole completion; `undefined` if it is none. */
async function complete(
  llm: Pick<Client<typeof LLMGatewayService>, 'generate'>,
  settings: Enrichment,
  text: string,
  chunkCount: number,
  options: CallOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const request = {
    model: settings.model,
    task: Task.ENRICH,
    messages: [
      { role: MessageRole.SYSTEM, text: instructionsFor(settings) },
      { role: MessageRole.USER, text },
    ],
    maxTokens: completionTokens(settings, chunkCount),
    temperature: 0,
    midStreamPolicy: MidStreamPolicy.RESTART,
  };
  const read = async (ends: AbortSignal): Promise<string | undefined> => {
    let written = '';
    for await (const { event } of llm.generate(request, { ...options, signal: ends })) {
      if (event.case === 'textDelta') written += event.value.text;
      else if (event.case === 'reset') written = '';
      else if (event.case === 'done') return event.value.outcome === Outcome.COMPLETE ? written : undefined;
      if (written.length > replyLengthMax) return undefined;
    }
    return undefined;
  };
  return within(read, { timeoutMs: settings.timeoutMs, signals: [signal] });
}

function noteOf({ origin }: PreparedDocument, count: number): PreparedNote {
  const message = 'the model has written nothing about these parts: upload the document again to try again';
  return { ...origin, kind: NoteKind.NOT_ENRICHED, count, message };
}

async function* toAsync<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
