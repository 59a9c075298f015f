import type { Logger } from '#kit/base/log.ts';
import type { Database } from '#kit/storage/database.ts';

/** An answer as a store keeps it. */
export interface StoredAnswer {
  tenant: string;
  /** Its identity, 64 hex digits. */
  key: string;
  /** The recorded events; a store never looks inside. */
  value: Uint8Array;
  /** When it was generated, in milliseconds since 1970. */
  storedAtMs: number;
  /** When it stops to be fresh, in milliseconds since 1970; stores do not care. */
  staleAtMs: number;
  /** When it stops to be found, in milliseconds since 1970. */
  expiresAtMs: number;
  /** What it can be named by beside its key; see labels.ts. No repeats. */
  labels: readonly string[];
  /** What it depends on, as bytes of the contract's CacheScope. */
  scope: Uint8Array;
}

/** Which answers of a tenant to remove. */
export type InvalidateTarget =
  | { kind: 'all' }
  | { kind: 'label'; label: string }
  /** One answer, as it is now: what is put after this, or was begun before it, stays. */
  | { kind: 'entry'; key: string };

/** What a tenant has in a store. */
export interface StoreUsage {
  entryCount: number;
  sizeBytes: number;
  /** Answers pushed out to make room, since the store was opened, as far as the store knows. */
  evictionCount: number;
}

/** What a store that other replicas use too tells of them. */
export interface StoreListener {
  /** The state of a tenant's invalidations as it was read last; a token for `put`. */
  epoch(tenant: string, epoch: string): void;
  /** Another replica has removed answers, or put another one in the place of one. */
  invalidated(tenant: string, target: InvalidateTarget): void;
  /** Whether other replicas' invalidations are heard. */
  attached(isAttached: boolean): void;
}

/** What every adapter of the port is given. */
export interface AnswerStoreDeps {
  /** Room for answers, in bytes; the least recently used ones make way. An answer that is larger by itself is not kept. */
  maxBytes: number;
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  log: Logger;
  listener: StoreListener;
  openDatabase: <Schema>(name: string, migrations: readonly string[]) => Promise<Database<Schema>>;
}

/** How an answer is put. */
export interface PutOptions {
  /** What the listener was told last when the making of the answer began; '' where it was told nothing. */
  epoch?: string;
  /** The answer takes the place of one that other replicas may have in memory. */
  replaces?: boolean;
}

/** The bytes of a stored answer are not those that were put. */
export class ChangedBytesError extends Error {
  override readonly name = 'ChangedBytesError';
}

/**
 * A bounded store of answers. Tenants never see each other's. A removed or expired answer is never found again, by no replica that
 * asks the store after the removal.
 */
export interface AnswerStore {
  /** The answer; counts as a use of it. `undefined` where it is absent or expired. Throws ChangedBytesError. */
  get(tenant: string, key: string): Promise<StoredAnswer | undefined>;
  /** Keeps an answer, in place of one with the same key; not where an invalidation that concerns it came since its epoch. */
  put(answer: StoredAnswer, options?: PutOptions): Promise<void>;
  /** Removes answers; gives back their keys. */
  invalidate(tenant: string, target: InvalidateTarget): Promise<string[]>;
  /** Answers with a label, at most `limit`; no use of them. */
  find(tenant: string, label: string, limit: number): Promise<StoredAnswer[]>;
  usage(tenant: string): Promise<StoreUsage>;
  close(): Promise<void>;
}

/** Bytes that an answer counts for: its value, its labels, and a share for the store's own bookkeeping. */
export function sizeOf({ value, labels, scope }: StoredAnswer): number {
  let bytes = value.byteLength + scope.byteLength + 512;
  for (const label of labels) bytes += 64 + label.length * 2;
  return bytes;
}

/** Whether an invalidation concerns an answer. */
export function concerns(target: InvalidateTarget, { key, labels }: Pick<StoredAnswer, 'key' | 'labels'>): boolean {
  switch (target.kind) {
    case 'all':
      return true;
    case 'label':
      return labels.includes(target.label);
    case 'entry':
      return key === target.key;
    default:
      return target satisfies never;
  }
}
