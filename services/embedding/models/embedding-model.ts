import type { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** A model that turns texts into vectors: its identity, its limits, and one verb. */
export interface EmbeddingModel {
  /** Name of the vector space. Vectors are comparable if and only if their names are equal. */
  readonly name: string;
  /** Components of a vector. */
  readonly dimensions: number;
  /** Largest count of texts in a call. */
  readonly maxBatch: number;
  /** Largest sum of tokens of the texts of a call, estimated; 0: no limit. A single text may be longer. */
  readonly maxBatchTokens: number;
  /** Concurrent calls that are useful. */
  readonly maxConcurrent: number;
  /** Longest text, in tokens; 0: no limit, or not known. A longer one is refused, never cut silently. */
  readonly maxInputTokens: number;
  /**
   * Returns the vectors of 1 to `maxBatch` texts, in their order, each `Float32Array[dimensions]` of length 1 (all zeros for a text
   * without words). It makes one attempt. Rejects with the signal's reason if it aborts first, with
   * {@link TextTooLongError} for a text that is longer than the model takes, and otherwise with a ConnectError.
   */
  embed(texts: readonly string[], purpose: Purpose, signal: AbortSignal): Promise<EmbeddedBatch>;
  /** Releases everything; running calls are rejected. */
  close(): Promise<void>;
}

/** The result of a batch. */
export interface EmbeddedBatch {
  vectors: Float32Array[];
  /** Tokens of the texts. */
  promptTokens: number;
  /** Whether the provider counted the tokens; false: they are an estimate. */
  reported: boolean;
}

/** The error of a text that is longer than the model takes. */
export class TextTooLongError extends Error {
  override readonly name = 'TextTooLongError';
  /** Which text of the call; `undefined`: one of them, the provider does not say which. */
  readonly textIndex: number | undefined;

  constructor(textIndex: number | undefined, cause?: unknown) {
    super('a text is longer than the model takes', { cause });
    this.textIndex = textIndex;
  }
}

/** What an adapter receives. */
export interface EmbeddingModelDeps {
  log: Logger;
  /** Its path in the configuration, for errors: "embedding.models[0]". */
  path: string;
  /** Every request to a provider goes through it. */
  fetch: typeof globalThis.fetch;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
}
