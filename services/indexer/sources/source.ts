import type { AddressGuard } from '#kit/http/guard/guard.ts';
import type { GuardedHttp } from '#kit/http/guard/guarded-http.ts';

/** An entry of a source, as a listing names it: a page, a file, a row, a message. */
export interface Entry {
  /** Unique in the source and stable, at most 1,024 characters; part of the path of its documents. */
  id: string;
  /** Changes with the entry: an ETag, a time, a hash. Empty if the listing does not say; then the entry is read to find out. */
  version: string;
}

/** A part of what has changed. */
export interface ChangePage {
  entries: readonly Entry[];
  /** From which a later `changes` continues, at most 8,192 characters; `undefined` if it cannot continue here. */
  cursor?: string;
}

/** The content of an entry. */
export type Fetched =
  | { kind: 'content'; content: Content }
  /** The validator still holds. */
  | { kind: 'unchanged' }
  /** The entry is not there, or cannot be a document. A listing decides whether its documents are removed. */
  | { kind: 'gone' };

/** What an entry holds. */
export interface Content {
  bytes: Uint8Array;
  /** Media type; empty: by the ending of the entry's id. */
  mediaType: string;
  /** Address at which a person can read it; empty if there is none. */
  url: string;
  /** Passed to the next `fetch`, which may reply `unchanged`. @default none */
  validator?: string;
  attributes?: Readonly<Record<string, string>>;
}

/** Who may see an entry at its source. */
export interface EntryAccess {
  id: string;
  /** Names of groups as the source has them; `everyone` if the source does not restrict it. */
  groups: readonly string[] | 'everyone';
}

/**
 * A place outside of ragmesh with which a corpus stays in step. It only reads. Whatever cannot be read rejects: a listing that ends without
 * an error is complete. Every adapter passes `suites/source.suite.ts`.
 */
export interface Source {
  /** Whether `changes` lists every entry each time, and ignores the cursor; `ids` is then not called beside it. */
  readonly listsAll: boolean;
  /** Whether the place shows its newest entries only, so that an entry that it no longer has stays in the corpus. @default false */
  readonly isWindow?: boolean;
  /** Yields what is new or changed since a cursor, and maybe more; everything for an empty cursor. */
  changes(cursor: string, signal: AbortSignal): AsyncIterable<ChangePage>;
  /** Yields the ids of all entries, each at least once. */
  ids(signal: AbortSignal): AsyncIterable<readonly string[]>;
  /** Reads an entry. `validator`: of its last content, empty if there is none. */
  fetch(id: string, validator: string, signal: AbortSignal): Promise<Fetched>;
  /** Yields who may see each entry, all of them. @default the source does not know */
  permissions?(signal: AbortSignal): AsyncIterable<readonly EntryAccess[]>;
  /** Calls `changed` when something may have changed, until the returned function is called. @default the schedule decides alone */
  watch?(changed: () => void): () => void;
  close(): Promise<void>;
}

/** What an adapter of a source is given. */
export interface SourceDeps {
  /** Requests to addresses of the settings: checked, and at the rate that the source allows. */
  http: GuardedHttp;
  /** Checks addresses for adapters with a protocol of their own, which also call `pace` before each request. */
  guard: AddressGuard;
  /** Waits until the source's rate allows another request. */
  pace(signal: AbortSignal): Promise<void>;
  /** Returns the real path of a folder or file that sources may read. Rejects with INVALID_ARGUMENT for others. */
  allowPath(path: string): Promise<string>;
  /** Returns the path of an empty or used folder for copies of the source; it may disappear between runs. */
  scratchFolder(): Promise<string>;
  /** Largest entry, in bytes; a larger one is `gone`. */
  maxBytes: number;
  /** Now, in milliseconds since 1970. */
  clock(): number;
}
