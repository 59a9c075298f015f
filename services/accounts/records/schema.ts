import type { Migrations } from '#kit/storage/database.ts';

/** Tables of keys, tenants and limits. Times are milliseconds since 1970. */
export interface AccountsSchema {
  /** One row: the number of the last change. Its lock makes changes one after another, so that their numbers appear in order. */
  revision: { name: string; value: number };
  api_key: KeyRow;
  api_key_secret: SecretRow;
  tenant: TenantRow;
  spend_limit: LimitRow;
  /** Tenants that have stored limits, or had some. */
  limited_tenant: { tenant: string; revision: number };
}

/** A limit of spend, or a raise, or both. */
export interface LimitRow {
  tenant: string;
  layer: string;
  name: string;
  /** The `StoredLimit`, without target, etag and time. */
  message: Uint8Array;
  updated_at: number;
  /** Number of its last change. */
  revision: number;
}

/** A key. */
export interface KeyRow {
  id: string;
  tenant: string;
  /** The `ApiKey`, without its secrets. */
  message: Uint8Array;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  /** Number of its last change. */
  revision: number;
}

/** A secret of a key. */
export interface SecretRow {
  sha256: string;
  key_id: string;
  created_at: number;
  /** `null`: with its key. */
  expires_at: number | null;
  last_used_at: number | null;
  last_address: string;
  use_count: number;
}

/** A tenant. */
export interface TenantRow {
  tenant: string;
  display_name: string;
  is_disabled: number;
  created_at: number;
  updated_at: number;
  /** Number of its last change. */
  revision: number;
}

const sqlite: readonly string[] = [
  `CREATE TABLE revision (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, message BLOB NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER, revoked_at INTEGER, revision INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX api_key_by_tenant ON api_key (tenant, created_at, id);
  CREATE INDEX api_key_by_revision ON api_key (revision);
  CREATE TABLE api_key_secret (
    sha256 TEXT NOT NULL PRIMARY KEY, key_id TEXT NOT NULL REFERENCES api_key (id), created_at INTEGER NOT NULL,
    expires_at INTEGER, last_used_at INTEGER, last_address TEXT NOT NULL, use_count INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX api_key_secret_by_key ON api_key_secret (key_id, created_at);
  CREATE TABLE tenant (
    tenant TEXT NOT NULL PRIMARY KEY, display_name TEXT NOT NULL, is_disabled INTEGER NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, revision INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX tenant_by_revision ON tenant (revision)`,
  `CREATE TABLE spend_limit (
    tenant TEXT NOT NULL, layer TEXT NOT NULL, name TEXT NOT NULL, message BLOB NOT NULL, updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL, PRIMARY KEY (tenant, layer, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE limited_tenant (tenant TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX limited_tenant_by_revision ON limited_tenant (revision)`,
];

const postgres: readonly string[] = [
  `CREATE TABLE revision (name text NOT NULL COLLATE "C" PRIMARY KEY, value bigint NOT NULL);
  CREATE TABLE api_key (
    id text NOT NULL COLLATE "C" PRIMARY KEY, tenant text NOT NULL COLLATE "C", message bytea NOT NULL, created_at bigint NOT NULL,
    expires_at bigint, revoked_at bigint, revision bigint NOT NULL
  );
  CREATE INDEX api_key_by_tenant ON api_key (tenant, created_at, id);
  CREATE INDEX api_key_by_revision ON api_key (revision);
  CREATE TABLE api_key_secret (
    sha256 text NOT NULL COLLATE "C" PRIMARY KEY, key_id text NOT NULL COLLATE "C" REFERENCES api_key (id), created_at bigint NOT NULL,
    expires_at bigint, last_used_at bigint, last_address text NOT NULL, use_count bigint NOT NULL
  );
  CREATE INDEX api_key_secret_by_key ON api_key_secret (key_id, created_at);
  CREATE TABLE tenant (
    tenant text NOT NULL COLLATE "C" PRIMARY KEY, display_name text NOT NULL, is_disabled smallint NOT NULL, created_at bigint NOT NULL,
    updated_at bigint NOT NULL, revision bigint NOT NULL
  );
  CREATE INDEX tenant_by_revision ON tenant (revision)`,
  `CREATE TABLE spend_limit (
    tenant text NOT NULL COLLATE "C", layer text NOT NULL COLLATE "C", name text NOT NULL COLLATE "C", message bytea NOT NULL,
    updated_at bigint NOT NULL, revision bigint NOT NULL, PRIMARY KEY (tenant, layer, name)
  );
  CREATE TABLE limited_tenant (tenant text NOT NULL COLLATE "C" PRIMARY KEY, revision bigint NOT NULL);
  CREATE INDEX limited_tenant_by_revision ON limited_tenant (revision)`,
];

/** Schema changes of both engines. */
export const migrations: Migrations = { sqlite, postgres };
