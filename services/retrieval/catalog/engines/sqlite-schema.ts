import { forever } from '../../stores/index-row.ts';

/**
 * The schema of a tenant's catalog: corpora, versions and their contents.
 *
 * `corpus.swept` is 0 while the catalog or a store may still have rows of dropped versions. `document.complete` is 0 from the
 * moment that the catalog has a document until both stores have it. `purge` lists documents that the stores may still hold.
 */
const catalogSchema = `
CREATE TABLE tenant (
  epoch TEXT NOT NULL,
  revision INTEGER NOT NULL
);
CREATE TABLE corpus (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  live INTEGER NOT NULL DEFAULT 0,
  last_version INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0,
  swept INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE version (
  corpus_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  base INTEGER NOT NULL,
  build_id TEXT NOT NULL,
  model TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  begun_ms INTEGER NOT NULL,
  published_ms INTEGER,
  PRIMARY KEY (corpus_id, version)
) WITHOUT ROWID;
CREATE TABLE acl (
  id INTEGER PRIMARY KEY,
  groups TEXT NOT NULL UNIQUE
);
CREATE TABLE document (
  id INTEGER PRIMARY KEY,
  corpus_id INTEGER NOT NULL,
  added_in INTEGER NOT NULL,
  removed_in INTEGER NOT NULL DEFAULT ${forever},
  acl_id INTEGER NOT NULL,
  chunk_count INTEGER NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0,
  dimensions INTEGER NOT NULL,
  model TEXT NOT NULL,
  document_id TEXT NOT NULL,
  content_hash BLOB NOT NULL,
  title TEXT NOT NULL,
  url TEXT NOT NULL
);
CREATE UNIQUE INDEX document_id ON document (corpus_id, document_id, added_in);
CREATE INDEX document_version ON document
  (corpus_id, removed_in, added_in, acl_id, chunk_count, complete, dimensions, model);
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  document INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  language INTEGER NOT NULL,
  start_offset INTEGER NOT NULL,
  end_offset INTEGER NOT NULL,
  chunk_id TEXT NOT NULL,
  heading_path TEXT NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX chunk_document ON chunk (document);
CREATE INDEX chunk_chunk_id ON chunk (chunk_id);
CREATE TABLE purge (
  corpus_id INTEGER NOT NULL,
  document_id TEXT NOT NULL,
  PRIMARY KEY (corpus_id, document_id)
) WITHOUT ROWID;
`;

/** A tenant's terms: one row, or none. */
const termsSchema = 'CREATE TABLE terms (only INTEGER PRIMARY KEY CHECK (only = 1), body TEXT NOT NULL);';

/**
 * The schema of the documents whose access list has changed in the catalog while their rows in the stores still have the old one.
 * The statements after the table bring catalogs of earlier releases to the same state.
 */
const accessChangeSchema = `
CREATE TABLE access_change (
  corpus_id INTEGER NOT NULL,
  document_id TEXT NOT NULL,
  acl_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (corpus_id, document_id)
) WITHOUT ROWID;
INSERT INTO access_change
  SELECT DISTINCT newest.corpus_id, newest.document_id, newest.acl_id, newest.added_in
  FROM document AS newest CROSS JOIN document AS older ON older.corpus_id = newest.corpus_id
    AND older.document_id = newest.document_id AND older.added_in < newest.added_in AND older.acl_id <> newest.acl_id
  WHERE newest.added_in = (
    SELECT max(published.added_in) FROM document AS published
    WHERE published.corpus_id = newest.corpus_id AND published.document_id = newest.document_id
      AND published.added_in <= (
        SELECT max(version) FROM version WHERE corpus_id = newest.corpus_id AND published_ms IS NOT NULL
      )
  );
UPDATE document SET acl_id = (
    SELECT acl_id FROM access_change AS change
    WHERE change.corpus_id = document.corpus_id AND change.document_id = document.document_id
  )
  WHERE EXISTS (
    SELECT 1 FROM access_change AS change WHERE change.corpus_id = document.corpus_id
      AND change.document_id = document.document_id AND document.added_in < change.version
  );
UPDATE tenant SET revision = revision + 1 WHERE EXISTS (SELECT 1 FROM access_change);
UPDATE corpus SET revision = (SELECT revision FROM tenant) WHERE id IN (SELECT corpus_id FROM access_change);
`;

/**
 * `last_key` is the highest key that a document or chunk was given; `generation` counts the changes of a TenantRecord, and `purge_count` the
 * purges.
 */
const countersSchema = `
ALTER TABLE tenant ADD COLUMN last_key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN purge_count INTEGER NOT NULL DEFAULT 0;
UPDATE tenant SET last_key =
  max(ifnull((SELECT max(id) FROM document), 0), ifnull((SELECT max(id) FROM chunk), 0));
`;

/** When a document was last updated, as it says itself; NULL for those of earlier releases and those that do not say it. */
const updatedSchema = 'ALTER TABLE document ADD COLUMN updated_ms INTEGER;';

/** Places of a chunk on the pages of its document, as JSON; NULL if it has none. */
const regionsSchema = 'ALTER TABLE chunk ADD COLUMN regions TEXT;';

/** Time in which a document is valid, as it says itself; NULL without a bound. */
const validitySchema = `
ALTER TABLE document ADD COLUMN valid_from_ms INTEGER;
ALTER TABLE document ADD COLUMN valid_until_ms INTEGER;
`;

/** How far a person has raised a chunk; NULL if no one has. */
const boostSchema = 'ALTER TABLE chunk ADD COLUMN boost REAL;';

/** What a model has written about a chunk, which is searched; NULL if nothing. */
const contextSchema = 'ALTER TABLE chunk ADD COLUMN context TEXT;';

/** The version of a corpus that is on trial, and sums of what its shadow searches found. */
const trialSchema = `
CREATE TABLE trial (
  corpus_id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  canary_percent INTEGER NOT NULL,
  shadow_percent INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  compared INTEGER NOT NULL DEFAULT 0,
  same INTEGER NOT NULL DEFAULT 0,
  overlap REAL NOT NULL DEFAULT 0,
  ndcg REAL NOT NULL DEFAULT 0,
  only_live INTEGER NOT NULL DEFAULT 0,
  only_candidate INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0
);
`;

/** The schema of a tenant's file, one version after another. */
export const sqliteMigrations: readonly string[] = [
  catalogSchema,
  termsSchema,
  accessChangeSchema,
  countersSchema,
  updatedSchema,
  regionsSchema,
  validitySchema,
  boostSchema,
  contextSchema,
  trialSchema,
];
