import type { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import type { Logger } from '#kit/log.ts';

/** A model that turns texts into vectors: who it is, what it can take, and one verb. */
export interface EmbeddingModel {
  /** Name of the vectors' space: vectors of different names are never comparable, those of the same name always are. */
  readonly name: string;
  /** Components of a vector. */
  readonly dimensions: number;
  /** Most texts in a call. */
  readonly maxBatch: number;
  /** Calls that are worth having under way at once. */
  readonly maxConcurrent: number;
  /** Longest text, in tokens; 0: no limit. A longer one is refused with INVALID_ARGUMENT, never cut. */
  readonly maxInputTokens: number;
  /**
   * Vectors of 1 to `maxBatch` texts, in their order, each `Float32Array[dimensions]` of length 1 (all zeros for a text
   * that says nothing). Rejects with the signal's reason where it aborts first; else with a ConnectError.
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

/** What an adapter is given. */
export interface EmbeddingModelDeps {
  log: Logger;
}
