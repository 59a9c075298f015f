import type { Migrations } from '#kit/storage/database.ts';

// The indexer's records beside its jobs: texts of documents, failures of jobs, deletions.

/** A content of a document. It stays as long as an index version may hold it. */
export interface DocumentTable {
  tenant: string;
  corpus: string;
  document_id: string;
  /** Hex. */
  content_hash: string;
  title: string;
  url: string;
  language: string;
  groups: string;
  attributes: string;
  chunk_count: number;
  length: number;
  updated_at: number | null;
  indexed_at: number;
  /** Path of the file, if the document's id is a place in it; empty otherwise. */
  placed_in: string;
  /** Job that adds the content, until that job is done; empty afterwards. */
  job_id: string;
  /** Whether a job that added it has succeeded. */
  is_published: number;
  /** Number of the publish after which it was no longer live; null while it is live. */
  retired_at: number | null;
  text: string;
  /** Its chunks as they were read, as JSON; empty in rows of earlier releases. */
  chunks: string;
  /** Title and text as they were read, as JSON, if overlays have changed them. */
  source: string | null;
  /** Name of the blob of its file, if that is kept. */
  original: string | null;
}

/** An overlay of a document, one row for each revision. */
export interface OverlayTable {
  tenant: string;
  corpus: string;
  document_id: string;
  /** An OverlayKind of the contract. */
  kind: number;
  /** Of what it changes, in hex; empty for the whole document. */
  content_hash: string;
  revision: number;
  /** The new text; null: it hides. */
  text: string | null;
  /** What it changes, as it was. */
  original: string;
  /** Groups that could see the document then, as JSON; empty: everyone in the tenant. */
  groups: string;
  is_deleted: number;
  is_current: number;
  changed_by: string;
  changed_at: number;
}

/** Groups that may see a content, one row each; everyone is a group of its own. */
export interface DocumentGroupTable {
  tenant: string;
  corpus: string;
  grp: string;
  document_id: string;
  content_hash: string;
}

/** Published versions, numbered within their corpus. */
export interface PublishTable {
  tenant: string;
  corpus: string;
  ordinal: number;
  version: string;
}

/** Documents or files that a job could not index. */
export interface FailureTable {
  job_id: string;
  file_index: number;
  line: number;
  path: string;
  reason: number;
  message: string;
}

/** What was left out of files that a job indexed, or guessed about them. */
export interface NoteTable {
  job_id: string;
  file_index: number;
  path: string;
  line: number;
  kind: number;
  parts: number;
  message: string;
}

/** A deleted document. The row stays as long as an earlier job can add the document again. */
export interface DeletionTable {
  deletion: string;
  tenant: string;
  user: string;
  /** Groups of that user, as JSON; null in rows of earlier releases. */
  groups: string | null;
  corpus: string;
  document_id: string;
  /** Sequence of the last job before the deletion; jobs up to it must leave the document out. */
  after_sequence: number;
  /** Whether it is removed from the index and the store. */
  is_done: number;
}

/** What the versions of a corpus must prove, as an operator has set it. */
export interface GateTable {
  tenant: string;
  corpus: string;
  mode: number;
  /** Names of data sets, as JSON. */
  data_sets: string;
  /** Groups with which questions are asked, as JSON. */
  groups: string;
  changed_by: string;
  changed_at: number;
  /** Shares of a trial, each of 100. */
  canary_percent: number;
  shadow_percent: number;
}

/** The tables. */
export interface RecordsSchema {
  documents: DocumentTable;
  document_groups: DocumentGroupTable;
  publishes: PublishTable;
  failures: FailureTable;
  notes: NoteTable;
  deletions: DeletionTable;
  gates: GateTable;
  overlays: OverlayTable;
}

/** Migrations of the tables; see `openDatabase`. Ids are compared by their bytes on both engines. */
export const recordsMigrations: Migrations = {
  sqlite: [
    `CREATE TABLE documents (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      document_id TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      title TEXT NOT NULL,
      url TEXT NOT NULL,
      language TEXT NOT NULL,
      groups TEXT NOT NULL,
      attributes TEXT NOT NULL,
      chunk_count INTEGER NOT NULL,
      length INTEGER NOT NULL,
      updated_at INTEGER,
      indexed_at INTEGER NOT NULL,
      placed_in TEXT NOT NULL,
      job_id TEXT NOT NULL,
      is_published INTEGER NOT NULL,
      retired_at INTEGER,
      text TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, document_id, content_hash)
    );
    CREATE INDEX documents_by_job ON documents (job_id) WHERE job_id <> '';
    CREATE INDEX documents_by_place ON documents (tenant, corpus, placed_in) WHERE placed_in <> '';
    CREATE INDEX documents_retired ON documents (tenant, corpus, retired_at) WHERE retired_at IS NOT NULL;
    CREATE TABLE document_groups (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      grp TEXT NOT NULL,
      document_id TEXT NOT NULL,
      content_hash TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, grp, document_id, content_hash)
    ) WITHOUT ROWID;
    CREATE TABLE publishes (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      ordinal INTEGER NOT NULL,
      version TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, ordinal)
    ) WITHOUT ROWID;
    CREATE TABLE failures (
      job_id TEXT NOT NULL,
      file_index INTEGER NOT NULL,
      line INTEGER NOT NULL,
      path TEXT NOT NULL,
      reason INTEGER NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (job_id, file_index, line)
    ) WITHOUT ROWID;
    CREATE TABLE deletions (
      deletion TEXT NOT NULL,
      tenant TEXT NOT NULL,
      user TEXT NOT NULL,
      corpus TEXT NOT NULL,
      document_id TEXT NOT NULL,
      after_sequence INTEGER NOT NULL,
      is_done INTEGER NOT NULL,
      PRIMARY KEY (deletion, document_id)
    ) WITHOUT ROWID;
    CREATE INDEX deletions_by_corpus ON deletions (tenant, corpus, after_sequence);
    CREATE INDEX deletions_open ON deletions (is_done) WHERE is_done = 0;`,
    'ALTER TABLE deletions ADD COLUMN groups TEXT',
    // Files of an archive share its position in the upload, so the path is part of the key.
    `CREATE TABLE failures_by_path (
      job_id TEXT NOT NULL,
      file_index INTEGER NOT NULL,
      path TEXT NOT NULL,
      line INTEGER NOT NULL,
      reason INTEGER NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (job_id, file_index, path, line)
    ) WITHOUT ROWID;
    INSERT INTO failures_by_path SELECT job_id, file_index, path, line, reason, message FROM failures;
    DROP TABLE failures;
    ALTER TABLE failures_by_path RENAME TO failures;
    CREATE TABLE notes (
      job_id TEXT NOT NULL,
      file_index INTEGER NOT NULL,
      path TEXT NOT NULL,
      line INTEGER NOT NULL,
      kind INTEGER NOT NULL,
      parts INTEGER NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (job_id, file_index, path, line, kind)
    ) WITHOUT ROWID;`,
    `CREATE TABLE gates (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      mode INTEGER NOT NULL,
      data_sets TEXT NOT NULL,
      groups TEXT NOT NULL,
      changed_by TEXT NOT NULL,
      changed_at INTEGER NOT NULL,
      PRIMARY KEY (tenant, corpus)
    ) WITHOUT ROWID`,
    `CREATE TABLE overlays (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      document_id TEXT NOT NULL,
      kind INTEGER NOT NULL,
      content_hash TEXT NOT NULL,
      revision INTEGER NOT NULL,
      text TEXT,
      original TEXT NOT NULL,
      groups TEXT NOT NULL,
      is_deleted INTEGER NOT NULL,
      is_current INTEGER NOT NULL,
      changed_by TEXT NOT NULL,
      changed_at INTEGER NOT NULL,
      PRIMARY KEY (tenant, corpus, document_id, kind, content_hash, revision)
    ) WITHOUT ROWID;
    CREATE INDEX overlays_current ON overlays (tenant, corpus, document_id, kind, content_hash) WHERE is_current = 1;
    ALTER TABLE documents ADD COLUMN chunks TEXT NOT NULL DEFAULT '';
    ALTER TABLE documents ADD COLUMN source TEXT;`,
    `ALTER TABLE gates ADD COLUMN canary_percent INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE gates ADD COLUMN shadow_percent INTEGER NOT NULL DEFAULT 0;`,
    `ALTER TABLE documents ADD COLUMN original TEXT;
    CREATE INDEX documents_by_original ON documents (original) WHERE original IS NOT NULL;`,
  ],
  postgres: [
    `CREATE TABLE documents (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      document_id TEXT COLLATE "C" NOT NULL,
      content_hash TEXT NOT NULL,
      title TEXT NOT NULL,
      url TEXT NOT NULL,
      language TEXT NOT NULL,
      groups TEXT NOT NULL,
      attributes TEXT NOT NULL,
      chunk_count BIGINT NOT NULL,
      length BIGINT NOT NULL,
      updated_at BIGINT,
      indexed_at BIGINT NOT NULL,
      placed_in TEXT NOT NULL,
      job_id TEXT NOT NULL,
      is_published BIGINT NOT NULL,
      retired_at BIGINT,
      text TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, document_id, content_hash)
    );
    CREATE INDEX documents_by_job ON documents (job_id) WHERE job_id <> '';
    CREATE INDEX documents_by_place ON documents (tenant, corpus, placed_in) WHERE placed_in <> '';
    CREATE INDEX documents_retired ON documents (tenant, corpus, retired_at) WHERE retired_at IS NOT NULL;
    CREATE TABLE document_groups (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      grp TEXT NOT NULL,
      document_id TEXT COLLATE "C" NOT NULL,
      content_hash TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, grp, document_id, content_hash)
    );
    CREATE TABLE publishes (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      ordinal BIGINT NOT NULL,
      version TEXT NOT NULL,
      PRIMARY KEY (tenant, corpus, ordinal)
    );
    CREATE TABLE failures (
      job_id TEXT NOT NULL,
      file_index BIGINT NOT NULL,
      line BIGINT NOT NULL,
      path TEXT NOT NULL,
      reason BIGINT NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (job_id, file_index, line)
    );
    CREATE TABLE deletions (
      deletion TEXT NOT NULL,
      tenant TEXT NOT NULL,
      "user" TEXT NOT NULL,
      groups TEXT,
      corpus TEXT NOT NULL,
      document_id TEXT COLLATE "C" NOT NULL,
      after_sequence BIGINT NOT NULL,
      is_done BIGINT NOT NULL,
      PRIMARY KEY (deletion, document_id)
    );
    CREATE INDEX deletions_by_corpus ON deletions (tenant, corpus, after_sequence);
    CREATE INDEX deletions_open ON deletions (is_done) WHERE is_done = 0;`,
    `ALTER TABLE failures ALTER COLUMN path TYPE TEXT COLLATE "C";
    ALTER TABLE failures DROP CONSTRAINT failures_pkey;
    ALTER TABLE failures ADD PRIMARY KEY (job_id, file_index, path, line);
    CREATE TABLE notes (
      job_id TEXT NOT NULL,
      file_index BIGINT NOT NULL,
      path TEXT COLLATE "C" NOT NULL,
      line BIGINT NOT NULL,
      kind BIGINT NOT NULL,
      parts BIGINT NOT NULL,
      message TEXT NOT NULL,
      PRIMARY KEY (job_id, file_index, path, line, kind)
    );`,
    `CREATE TABLE gates (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      mode BIGINT NOT NULL,
      data_sets TEXT NOT NULL,
      groups TEXT NOT NULL,
      changed_by TEXT NOT NULL,
      changed_at BIGINT NOT NULL,
      PRIMARY KEY (tenant, corpus)
    )`,
    `CREATE TABLE overlays (
      tenant TEXT NOT NULL,
      corpus TEXT NOT NULL,
      document_id TEXT COLLATE "C" NOT NULL,
      kind BIGINT NOT NULL,
      content_hash TEXT COLLATE "C" NOT NULL,
      revision BIGINT NOT NULL,
      text TEXT,
      original TEXT NOT NULL,
      groups TEXT NOT NULL,
      is_deleted BIGINT NOT NULL,
      is_current BIGINT NOT NULL,
      changed_by TEXT NOT NULL,
      changed_at BIGINT NOT NULL,
      PRIMARY KEY (tenant, corpus, document_id, kind, content_hash, revision)
    );
    CREATE INDEX overlays_current ON overlays (tenant, corpus, document_id, kind, content_hash) WHERE is_current = 1;
    ALTER TABLE documents ADD COLUMN chunks TEXT NOT NULL DEFAULT '';
    ALTER TABLE documents ADD COLUMN source TEXT;`,
    `ALTER TABLE gates ADD COLUMN canary_percent BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE gates ADD COLUMN shadow_percent BIGINT NOT NULL DEFAULT 0;`,
    `ALTER TABLE documents ADD COLUMN original TEXT;
    CREATE INDEX documents_by_original ON documents (original) WHERE original IS NOT NULL;`,
  ],
};
