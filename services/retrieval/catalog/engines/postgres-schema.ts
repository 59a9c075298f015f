import { forever } from '../../stores/index-row.ts';

/**
 * The schema of all tenants' catalogs, in the tables of SQLite with the tenant before each key. Names begin with `catalog_`, because stores
 * have tables in the same schema. Ids are ordered by their bytes, as in SQLite. `catalog_lease` has the holder of the right to change a
 * tenant (leases.ts).
 */
const catalogSchema = `
CREATE TABLE catalog_tenant (
  tenant text PRIMARY KEY,
  epoch text NOT NULL,
  revision bigint NOT NULL,
  last_key bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0,
  purge_count bigint NOT NULL DEFAULT 0
);
CREATE TABLE catalog_lease (
  tenant text PRIMARY KEY,
  fence bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  wanted_by text NOT NULL DEFAULT '',
  wanted_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE TABLE catalog_corpus (
  tenant text NOT NULL,
  id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  live bigint NOT NULL DEFAULT 0,
  last_version bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL DEFAULT 0,
  swept smallint NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, name)
);
CREATE TABLE catalog_version (
  tenant text NOT NULL,
  corpus_id bigint NOT NULL,
  version bigint NOT NULL,
  base bigint NOT NULL,
  build_id text NOT NULL,
  model text NOT NULL,
  dimensions integer NOT NULL,
  begun_ms bigint NOT NULL,
  published_ms bigint,
  PRIMARY KEY (tenant, corpus_id, version)
);
CREATE TABLE catalog_acl (
  tenant text NOT NULL,
  id bigint NOT NULL,
  groups text NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE TABLE catalog_document (
  tenant text NOT NULL,
  id bigint NOT NULL,
  corpus_id bigint NOT NULL,
  added_in bigint NOT NULL,
  removed_in bigint NOT NULL DEFAULT ${forever},
  acl_id bigint NOT NULL,
  chunk_count integer NOT NULL,
  complete smallint NOT NULL DEFAULT 0,
  dimensions integer NOT NULL,
  model text NOT NULL,
  document_id text COLLATE "C" NOT NULL,
  content_hash bytea NOT NULL,
  title text NOT NULL,
  url text NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, corpus_id, document_id, added_in),
  FOREIGN KEY (tenant, acl_id) REFERENCES catalog_acl
);
CREATE INDEX catalog_document_version ON catalog_document (tenant, corpus_id, removed_in, added_in);
CREATE TABLE catalog_chunk (
  tenant text NOT NULL,
  id bigint NOT NULL,
  document bigint NOT NULL,
  ordinal bigint NOT NULL,
  language integer NOT NULL,
  start_offset bigint NOT NULL,
  end_offset bigint NOT NULL,
  chunk_id text NOT NULL,
  heading_path text NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX catalog_chunk_document ON catalog_chunk (tenant, document);
CREATE INDEX catalog_chunk_chunk_id ON catalog_chunk (tenant, chunk_id);
CREATE TABLE catalog_purge (
  tenant text NOT NULL,
  corpus_id bigint NOT NULL,
  document_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, corpus_id, document_id)
);
CREATE TABLE catalog_access_change (
  tenant text NOT NULL,
  corpus_id bigint NOT NULL,
  document_id text COLLATE "C" NOT NULL,
  acl_id bigint NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (tenant, corpus_id, document_id)
);
CREATE TABLE catalog_terms (
  tenant text PRIMARY KEY,
  body text NOT NULL
);
`;

/** When a document was last updated, as it says itself. */
const updatedSchema = 'ALTER TABLE catalog_document ADD COLUMN updated_ms bigint;';

/** Places of a chunk on the pages of its document, as JSON; NULL if it has none. */
const regionsSchema = 'ALTER TABLE catalog_chunk ADD COLUMN regions text;';

/** Time in which a document is valid, as it says itself; NULL without a bound. */
const validitySchema = `
ALTER TABLE catalog_document ADD COLUMN valid_from_ms bigint;
ALTER TABLE catalog_document ADD COLUMN valid_until_ms bigint;
`;

/** How far a person has raised a chunk; NULL if no one has. */
const boostSchema = 'ALTER TABLE catalog_chunk ADD COLUMN boost double precision;';

/** What a model has written about a chunk, which is searched; NULL if nothing. */
const contextSchema = 'ALTER TABLE catalog_chunk ADD COLUMN context text;';

/** The version of a corpus that is on trial, and sums of what its shadow searches found. */
const trialSchema = `
CREATE TABLE catalog_trial (
  tenant text NOT NULL,
  corpus_id bigint NOT NULL,
  version bigint NOT NULL,
  canary_percent integer NOT NULL,
  shadow_percent integer NOT NULL,
  started_ms bigint NOT NULL,
  compared bigint NOT NULL DEFAULT 0,
  same bigint NOT NULL DEFAULT 0,
  overlap double precision NOT NULL DEFAULT 0,
  ndcg double precision NOT NULL DEFAULT 0,
  only_live bigint NOT NULL DEFAULT 0,
  only_candidate bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  dropped bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant, corpus_id)
);
`;

/** The schema, one version after another. */
export const postgresMigrations: readonly string[] = [
  catalogSchema,
  updatedSchema,
  regionsSchema,
  validitySchema,
  boostSchema,
  contextSchema,
  trialSchema,
];
