import type { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** A model that turns texts into vectors: who it is, what it can take, and one verb. */
export interface EmbeddingModel {
  /** Name of the vectors' space: vectors of different names are never comparable, those of the same name always are. */
  readonly name: string;
  /** Components of a vector. */
  readonly dimensions: number;
  /** Most texts in a call. */
  readonly maxBatch: number;
  /** Most tokens of the texts of a call together, by estimate; 0: no limit. A single text may be longer. */
  readonly maxBatchTokens: number;
  /** Calls that are worth having under way at once. */
  readonly maxConcurrent: number;
  /** Longest text, in tokens; 0: no limit, or not known. A longer one is refused, never cut in silence. */
  readonly maxInputTokens: number;
  /**
   * Vectors of 1 to `maxBatch` texts, in their order, each `Float32Array[dimensions]` of length 1 (all zeros for a text
   * that says nothing). It makes one attempt. Rejects with the signal's reason where it aborts first, with
   * {@link TextTooLongError} for a text that is longer than the model takes, and else with a ConnectError.
   */
  embed(texts: readonly string[], purpose: Purpose, signal: AbortSignal): Promise<EmbeddedBatch>;
  /** Frees everything; calls under way are rejected. */
  close(): Promise<void>;
}

/** What became of a batch. */
export interface EmbeddedBatch {
  vectors: Float32Array[];
  /** Tokens of the texts. */
  promptTokens: number;
  /** Whether the provider counted the tokens; false: they are an estimate. */
  reported: boolean;
}

/** A text is longer than the model takes. */
export class TextTooLongError extends Error {
  override readonly name = 'TextTooLongError';
  /** Which text of the call; `undefined`: one of them, the provider does not say which. */
  readonly textIndex: number | undefined;

  constructor(textIndex: number | undefined, cause?: unknown) {
    super('a text is longer than the model takes', { cause });
    this.textIndex = textIndex;
  }
}

/** What an adapter is given. */
export interface EmbeddingModelDeps {
  log: Logger;
  /** Where the configuration names it, for errors: "embedding.models[0]". */
  path: string;
  /** Every request to a provider goes through it. */
  fetch: typeof globalThis.fetch;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
}
