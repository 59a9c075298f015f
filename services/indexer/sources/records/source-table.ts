import type { Generated, Selectable } from 'kysely';
import type { Migrations } from '#kit/storage/database.ts';

/** A source. */
export interface SourceTable {
  source_id: string;
  tenant: string;
  name: string;
  corpus: string;
  /** The SourceSettings of the contract, as JSON. */
  settings: string;
  /** Who created it; its jobs act for this user. */
  user: string;
  /** Groups of that user, as JSON. */
  groups: string;
  created_at: number;
  updated_at: number;
  /** SyncState, as JSON. */
  state: string;
  /** When it is due, by its state; a very late time while it is paused. */
  due_at: number;
  owner: Generated<string>;
  lease_until: Generated<number>;
  fence: Generated<number>;
}

/** An entry that a source has, or had. */
export interface EntryTable {
  source_id: string;
  entry_id: string;
  /** As the listing says; empty: the entry must be read. */
  version: string;
  validator: string;
  /** SHA-256 of content, address and access that the corpus has, in hex; empty if it has none. */
  content_hash: string;
  /** Groups by which it is visible, as JSON; null while that is not known. */
  access: string | null;
  /** Fence of the run that listed it last. */
  seen_in: number;
  /** Fence of the run that read its permissions last. */
  access_in: number;
  /** Complete listings, one after another, that lacked it. */
  missing_count: number;
  /** Job that writes or removes it; empty if that is done. */
  job_id: string;
  /** Whether that job removes it. */
  is_removing: number;
  /** `access` of the content that the corpus has; null if it has none. */
  written_access: string | null;
}

/** A run of a source. */
export interface RunTable {
  source_id: string;
  /** Fence of its lease: runs of a source are numbered by it. */
  number: number;
  run_id: string;
  state: number;
  is_dry_run: number;
  started_at: number;
  ended_at: number | null;
  /** RunCounts, as JSON. */
  counts: string;
  job_ids: string;
  error: string;
}

/** The tables. */
export interface SourcesSchema {
  sources: SourceTable;
  source_entries: EntryTable;
  source_runs: RunTable;
}

export type SourceRow = Selectable<SourceTable>;
export type EntryRow = Selectable<EntryTable>;
export type RunRow = Selectable<RunTable>;

/** Migrations of the tables; see `openDatabase`. */
export const sourcesMigrations: Migrations = {
  sqlite: [
    `CREATE TABLE sources (
      source_id TEXT NOT NULL PRIMARY KEY,
      tenant TEXT NOT NULL,
      name TEXT NOT NULL,
      corpus TEXT NOT NULL,
      settings TEXT NOT NULL,
      user TEXT NOT NULL,
      groups TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      state TEXT NOT NULL,
      due_at INTEGER NOT NULL,
      owner TEXT NOT NULL DEFAULT '',
      lease_until INTEGER NOT NULL DEFAULT 0,
      fence INTEGER NOT NULL DEFAULT 0,
      UNIQUE (tenant, name)
    );
    CREATE INDEX sources_due ON sources (due_at);
    CREATE TABLE source_entries (
      source_id TEXT NOT NULL,
      entry_id TEXT NOT NULL,
      version TEXT NOT NULL,
      validator TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      access TEXT,
      seen_in INTEGER NOT NULL,
      access_in INTEGER NOT NULL,
      missing_count INTEGER NOT NULL,
      job_id TEXT NOT NULL,
      is_removing INTEGER NOT NULL,
      written_access TEXT,
      PRIMARY KEY (source_id, entry_id)
    ) WITHOUT ROWID;
    CREATE INDEX source_entries_jobs ON source_entries (source_id, job_id) WHERE job_id <> '';
    CREATE INDEX source_entries_missing ON source_entries (source_id, missing_count, entry_id) WHERE missing_count > 0;
    CREATE INDEX source_entries_unread ON source_entries (source_id, entry_id) WHERE version = '';
    CREATE TABLE source_runs (
      source_id TEXT NOT NULL,
      number INTEGER NOT NULL,
      run_id TEXT NOT NULL,
      state INTEGER NOT NULL,
      is_dry_run INTEGER NOT NULL,
      started_at INTEGER NOT NULL,
      ended_at INTEGER,
      counts TEXT NOT NULL,
      job_ids TEXT NOT NULL,
      error TEXT NOT NULL,
      PRIMARY KEY (source_id, number)
    ) WITHOUT ROWID;`,
  ],
  postgres: [
    `CREATE TABLE sources (
      source_id TEXT NOT NULL PRIMARY KEY,
      tenant TEXT NOT NULL,
      name TEXT COLLATE "C" NOT NULL,
      corpus TEXT NOT NULL,
      settings TEXT NOT NULL,
      "user" TEXT NOT NULL,
      groups TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      state TEXT NOT NULL,
      due_at BIGINT NOT NULL,
      owner TEXT NOT NULL DEFAULT '',
      lease_until BIGINT NOT NULL DEFAULT 0,
      fence BIGINT NOT NULL DEFAULT 0,
      UNIQUE (tenant, name)
    );
    CREATE INDEX sources_due ON sources (due_at);
    CREATE TABLE source_entries (
      source_id TEXT NOT NULL,
      entry_id TEXT COLLATE "C" NOT NULL,
      version TEXT NOT NULL,
      validator TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      access TEXT,
      seen_in BIGINT NOT NULL,
      access_in BIGINT NOT NULL,
      missing_count BIGINT NOT NULL,
      job_id TEXT NOT NULL,
      is_removing BIGINT NOT NULL,
      written_access TEXT,
      PRIMARY KEY (source_id, entry_id)
    );
    CREATE INDEX source_entries_jobs ON source_entries (source_id, job_id) WHERE job_id <> '';
    CREATE INDEX source_entries_missing ON source_entries (source_id, missing_count, entry_id) WHERE missing_count > 0;
    CREATE INDEX source_entries_unread ON source_entries (source_id, entry_id) WHERE version = '';
    CREATE TABLE source_runs (
      source_id TEXT NOT NULL,
      number BIGINT NOT NULL,
      run_id TEXT NOT NULL,
      state BIGINT NOT NULL,
      is_dry_run BIGINT NOT NULL,
      started_at BIGINT NOT NULL,
      ended_at BIGINT,
      counts TEXT NOT NULL,
      job_ids TEXT NOT NULL,
      error TEXT NOT NULL,
      PRIMARY KEY (source_id, number)
    );`,
  ],
};
