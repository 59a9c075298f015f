import { forever } from '../stores/index-row.ts';

/**
 * The schema of a tenant's catalog: corpora, versions and their contents.
 *
 * `corpus.swept` is 0 while the catalog or a store may still have rows of dropped versions. `document.complete` is 0 from the
 * moment that the catalog has a document until both stores have it. `purge` lists documents that the stores may still hold.
 */
export const catalogSchema = `
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
