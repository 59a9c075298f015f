import type { Logger } from '#kit/base/log.ts';

/** A question whose answer is stored. */
export interface SemanticEntry {
  tenant: string;
  /** Hash of all that the answer depends on except its question. Entries of different scopes are never compared. */
  scopeKey: string;
  /** Identity of the answer, by which it is fetched from the layers above; 64 hex digits. */
  key: string;
  /** The question as it was asked. */
  question: string;
  /** Its vector, of length 1. */
  vector: Float32Array;
  /** Documents that the answer was generated from. */
  documentIds: readonly string[];
  storedAtMs: number;
  /** When it stops being found, in milliseconds since 1970. */
  expiresAtMs: number;
}

/** A question with a similar vector. */
export interface SemanticCandidate {
  key: string;
  question: string;
  /** Cosine of the vectors, -1 to 1. */
  similarity: number;
  /** Its vector, of length 1. */
  vector: Float32Array;
}

/** Which entries of a tenant to remove. */
export type SemanticTarget =
  | { kind: 'key'; key: string }
  | { kind: 'document'; documentId: string }
  | { kind: 'scope'; scopeKey: string }
  /** Entries that were stored before. */
  | { kind: 'before'; storedBeforeMs: number }
  | { kind: 'all' };

/** What every adapter of the port receives. */
export interface SemanticStoreDeps {
  /** Folder for embedded state; exists. */
  folder: string;
  clock: () => number;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  log: Logger;
  /** Largest count of entries of a scope; beyond it the oldest are removed. */
  maxPerScope: number;
  /** Largest count of entries of a tenant; beyond it the oldest are removed. */
  maxPerTenant: number;
  /** Length of every vector. */
  dimensions: number;
  /** Name of the vector space; each space has its own store. */
  embeddingModel: string;
}

/**
 * A bounded store of questions, searched exactly by their vectors within a scope. No tenant or scope finds an entry of another one. A
 * removed or expired entry is never found again. Errors are ConnectErrors.
 */
export interface SemanticStore {
  /** Stores an entry, in place of one of its tenant with the same scope and key. */
  put(entry: SemanticEntry, signal: AbortSignal): Promise<void>;
  /** Returns the nearest questions of a scope, best first. */
  search(
    query: { tenant: string; scopeKey: string; vector: Float32Array; limit: number },
    signal: AbortSignal,
  ): Promise<SemanticCandidate[]>;
  /** Removes entries. An absent one is not an error. */
  remove(tenant: string, target: SemanticTarget, signal: AbortSignal): Promise<void>;
  /** Returns the count of entries of a tenant that are not expired. */
  count(tenant: string, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}
