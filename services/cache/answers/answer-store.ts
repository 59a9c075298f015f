import type { Logger } from '#kit/base/log.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { Database, Migrations } from '#kit/storage/database.ts';

/** An answer as a store keeps it. */
export interface StoredAnswer {
  tenant: string;
  /** Its identity, 64 hex digits. */
  key: string;
  /** The recorded events; a store never looks inside. */
  value: Uint8Array;
  /** When it was generated, in milliseconds since 1970. */
  storedAtMs: number;
  /** When it stops being fresh, in milliseconds since 1970; stores do not use it. */
  staleAtMs: number;
  /** When it stops being found, in milliseconds since 1970. */
  expiresAtMs: number;
  /** What it can be named by besides its key; see labels.ts. No repeats. */
  labels: readonly string[];
  /** What it depends on, as bytes of the contract's CacheScope. */
  scope: Uint8Array;
}

/** Which answers of a tenant to remove. */
export type InvalidateTarget =
  | { kind: 'all' }
  | { kind: 'label'; label: string }
  /** Answers that are older. */
  | { kind: 'before'; storedBeforeMs: number }
  /** One answer, as it is now. Answers that are put later stay. */
  | { kind: 'entry'; key: string };

/** What a tenant has in a store. */
export interface StoreUsage {
  entryCount: number;
  sizeBytes: number;
  /** Answers evicted since the store was opened, as far as the store knows. */
  evictionCount: number;
}

/** What a store that replicas share reports about the others. */
export interface StoreListener {
  /** The state of a tenant's invalidations when it was last read; a token for `put`. */
  epoch(tenant: string, epoch: string): void;
  /** Another replica removed answers, or replaced one. */
  invalidated(tenant: string, target: InvalidateTarget): void;
  /** Whether invalidations of other replicas arrive. */
  attached(isAttached: boolean): void;
}

/** What every adapter of the port receives. */
export interface AnswerStoreDeps {
  /** Room for answers, in bytes; the least recently used ones are evicted. An answer that is larger than this is not kept. */
  maxBytes: number;
  clock: () => number;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  log: Logger;
  listener: StoreListener;
  openDatabase: <Schema>(name: string, migrations: Migrations) => Promise<Database<Schema>>;
}

/** How an answer is put. */
export interface PutOptions {
  /** The epoch that the listener received last when the generation of the answer began; '' if it received none. */
  epoch?: string;
  /** The answer replaces one that other replicas may have in memory. */
  replaces?: boolean;
}

/** The error of stored bytes that are not those that were put. */
export class ChangedBytesError extends Error {
  override readonly name = 'ChangedBytesError';
}

/**
 * A bounded store of answers. No tenant finds an answer of another one. A removed or expired answer is never found again, by any replica
 * that reads the store after the removal.
 */
export interface AnswerStore {
  /** Whether its server answers; absent in a store without a server. */
  readonly readiness?: ReadinessCheck;
  /** Returns the answer and counts a use of it; `undefined` if it is absent or expired. Throws ChangedBytesError. */
  get(tenant: string, key: string): Promise<StoredAnswer | undefined>;
  /** Stores an answer, in place of one with the same key, unless an invalidation since its epoch concerns it. */
  put(answer: StoredAnswer, options?: PutOptions): Promise<void>;
  /** Removes answers and returns their keys. */
  invalidate(tenant: string, target: InvalidateTarget): Promise<string[]>;
  /** Returns at most `limit` answers with a label, without counting a use of them. */
  find(tenant: string, label: string, limit: number): Promise<StoredAnswer[]>;
  usage(tenant: string): Promise<StoreUsage>;
  close(): Promise<void>;
}

/** Returns the size of an answer in bytes: its value, its labels, and a share for the bookkeeping of the store. */
export function sizeOf({ value, labels, scope }: StoredAnswer): number {
  let bytes = value.byteLength + scope.byteLength + 512;
  for (const label of labels) bytes += 64 + label.length * 2;
  return bytes;
}

/** Returns whether an invalidation concerns an answer. */
export function concerns(target: InvalidateTarget, { key, labels, storedAtMs }: StoredAnswer): boolean {
  switch (target.kind) {
    case 'all':
      return true;
    case 'label':
      return labels.includes(target.label);
    case 'before':
      return storedAtMs < target.storedBeforeMs;
    case 'entry':
      return key === target.key;
    default:
      return target satisfies never;
  }
}
