import type { Logger } from '#kit/base/log.ts';

/** A question whose answer is stored, as a store keeps it. */
export interface SemanticEntry {
  tenant: string;
  /** Hash of all that the answer depends on but its question. Entries of different scopes never meet. */
  scopeKey: string;
  /** Identity of the answer, by which it is fetched from the layers above; 64 hex digits. */
  key: string;
  /** The question as it was asked. */
  question: string;
  /** Its vector, of length 1. */
  vector: Float32Array;
  /** Documents that the answer was shown. */
  documentIds: readonly string[];
  storedAtMs: number;
  /** When it stops to be found, in milliseconds since 1970. */
  expiresAtMs: number;
}

/** A question that is near. */
export interface SemanticCandidate {
  key: string;
  question: string;
  /** Cosine of the vectors, -1 to 1. */
  similarity: number;
}

/** Which entries of a tenant to remove. */
export type SemanticTarget =
  | { kind: 'key'; key: string }
  | { kind: 'document'; documentId: string }
  | { kind: 'scope'; scopeKey: string }
  | { kind: 'all' };

/** What every adapter of the port is given. */
export interface SemanticStoreDeps {
  /** Folder for embedded state; exists. */
  folder: string;
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  log: Logger;
  /** Entries of a scope; beyond it the oldest make way. */
  maxPerScope: number;
  /** Entries of a tenant; beyond it the oldest make way. */
  maxPerTenant: number;
  /** Length of every vector. */
  dimensions: number;
  /** Name of the vectors' space: a store of another one is another store. */
  embeddingModel: string;
}

/**
 * A bounded store of questions, searched exactly by their vectors within a scope. Tenants and scopes never see each other's. A removed
 * or expired entry is never found again. Errors are ConnectErrors.
 */
export interface SemanticStore {
  /** Keeps an entry, in place of one of its tenant with the same scope and key. */
  put(entry: SemanticEntry, signal: AbortSignal): Promise<void>;
  /** The nearest questions of a scope, best first. */
  search(
    query: { tenant: string; scopeKey: string; vector: Float32Array; limit: number },
    signal: AbortSignal,
  ): Promise<SemanticCandidate[]>;
  /** Removes entries. What is not there is no error. */
  remove(tenant: string, target: SemanticTarget, signal: AbortSignal): Promise<void>;
  /** Entries of a tenant that are not expired. */
  count(tenant: string, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}
