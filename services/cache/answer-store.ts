import type { Database } from '#kit/database.ts';

/** An answer as a store keeps it. */
export interface StoredAnswer {
  tenant: string;
  /** Its identity, 64 hex digits. */
  key: string;
  /** The recorded events; a store never looks inside. */
  value: Uint8Array;
  /** When it was generated, in milliseconds since 1970. */
  storedAtMs: number;
  /** When it stops to be found, in milliseconds since 1970. */
  expiresAtMs: number;
  /** The model's alias. */
  model: string;
  /** Corpora that were searched. */
  corpora: readonly string[];
  /** Documents that the answer was shown. */
  documentIds: readonly string[];
}

/** Which answers of a tenant to remove. */
export type InvalidateTarget =
  | { kind: 'document'; documentId: string }
  | { kind: 'corpus'; corpus: string }
  | { kind: 'model'; model: string }
  | { kind: 'all' };

/** What a tenant has in a store. */
export interface StoreUsage {
  entryCount: number;
  sizeBytes: number;
  /** Answers pushed out to make room, since the store was opened. */
  evictionCount: number;
}

/** What every adapter of the port is given. */
export interface AnswerStoreDeps {
  /** Room for answers, in bytes; the least recently used ones make way. An answer that is larger by itself is not kept. */
  maxBytes: number;
  clock: () => number;
  openDatabase: <Schema>(name: string, migrations: readonly string[]) => Promise<Database<Schema>>;
}

/** A bounded store of answers. Tenants never see each other's. A removed or expired answer is never found again. */
export interface AnswerStore {
  /** The answer; counts as a use of it. `undefined` where it is absent or expired. */
  get(tenant: string, key: string): Promise<StoredAnswer | undefined>;
  /** Keeps an answer, in place of one with the same key. */
  put(answer: StoredAnswer): Promise<void>;
  /** Removes one answer; nothing happens where it is absent. */
  remove(tenant: string, key: string): Promise<void>;
  /** Removes answers; gives back their keys. */
  invalidate(tenant: string, target: InvalidateTarget): Promise<string[]>;
  usage(tenant: string): Promise<StoreUsage>;
  close(): Promise<void>;
}

/** Bytes that an answer counts for: its value, its labels, and a share for the store's own bookkeeping. */
export function sizeOf({ value, corpora, documentIds }: StoredAnswer): number {
  let bytes = value.byteLength + 512;
  for (const label of corpora) bytes += 64 + label.length * 2;
  for (const label of documentIds) bytes += 64 + label.length * 2;
  return bytes;
}
