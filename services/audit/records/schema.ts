import type { Migrations } from '#kit/storage/database.ts';

/** Tables of the audit. Times are milliseconds since 1970. */
export interface AuditSchema {
  /** The chain itself: one row for each entry. The columns besides `bytes` and the hashes repeat parts of `bytes` for queries. */
  entries: EntryRow;
  /** The end of each tenant's chain: without it, a removal at the end would not be found. */
  chains: ChainRow;
  /** The documents of the entries that have rows of their own. */
  entry_documents: DocumentRow;
  /** The cost of requests to models: one row for each request. */
  ledger: LedgerRow;
  /** Sums of the entries and the ledger by day, model, user, API key, cost centre and currency. */
  usage: UsageSumRow;
  /** Sums of usage by day and dimension. */
  usage_totals: UsageTotalRow;
  /** The keys of users: removing a row makes unreadable what was encrypted under its key. */
  subjects: SubjectRow;
}

/** A user of a tenant, and the user's key. */
export interface SubjectRow {
  tenant: string;
  user: string;
  /** What entries call the user. */
  subject: string;
  /** The key that has encrypted `wrapped_key`; empty: it is not encrypted. */
  key_id: string;
  wrapped_key: Uint8Array;
  created_at: number;
}

/** An entry. */
export interface EntryRow {
  tenant: string;
  sequence: number;
  answer_id: string;
  /** The user; the subject if the entry names its user so. */
  user: string;
  recorded_at: number;
  /** Canonical bytes of the entry; of a redacted one, what is left of it. */
  bytes: Uint8Array;
  previous_hash: Uint8Array;
  hash: Uint8Array;
  /** The entry of the tenant that has the rows of the same documents; `null`: this entry has its own. */
  documents_of: number | null;
  /** The receipt that covers `bytes` instead of `hash`; `null`: nothing was removed. */
  redacted_by: number | null;
}

/** The end of a tenant's chain. */
export interface ChainRow {
  tenant: string;
  last_sequence: number;
  last_hash: Uint8Array;
}

/** A document of an entry. */
export interface DocumentRow {
  tenant: string;
  document_id: string;
  sequence: number;
}

/** The cost of a request. */
export interface LedgerRow {
  tenant: string;
  request_id: string;
  /** The answer that the request was made for: what comes before the first "/" of its id. */
  answer_id: string;
  user: string;
  requested_at: number;
  recorded_at: number;
  /** The `RecordUsageRequest`. */
  bytes: Uint8Array;
}

/** A sum of usage by one dimension. */
export interface UsageTotalRow {
  /** The tenant; empty in the dimension "tenant", whose names are tenants. */
  tenant: string;
  dimension: 'model' | 'user' | 'purpose' | 'key' | 'cost_centre' | 'tenant';
  /** UTC, YYYY-MM-DD; of users also a month, YYYY-MM. */
  period: string;
  name: string;
  /** ISO 4217; empty without a cost. */
  currency: string;
  call_count: number;
  answer_count: number;
  cached_count: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_micros: number;
  saved_tokens: number;
  saved_micros: number;
}

/** A sum of usage. */
export interface UsageSumRow {
  tenant: string;
  /** UTC, YYYY-MM-DD. */
  day: string;
  model: string;
  user: string;
  /** Id of the API key; empty: none, or not known. */
  key_id: string;
  /** Cost centre; empty: none, or not known. */
  cost_centre: string;
  /** ISO 4217; empty without a cost. */
  currency: string;
  answer_count: number;
  cached_count: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_micros: number;
}

const sqlite: readonly string[] = [
  `
  CREATE TABLE entries (
    tenant TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    answer_id TEXT NOT NULL,
    user TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (tenant, sequence)
  ) STRICT;
  CREATE UNIQUE INDEX entries_by_answer ON entries (tenant, answer_id);
  CREATE INDEX entries_by_time ON entries (tenant, recorded_at, sequence);
  CREATE INDEX entries_by_user ON entries (tenant, user, sequence);
  CREATE TABLE chains (
    tenant TEXT NOT NULL PRIMARY KEY,
    last_sequence INTEGER NOT NULL,
    last_hash BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE entry_documents (
    tenant TEXT NOT NULL,
    document_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant, document_id, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX documents_by_entry ON entry_documents (tenant, sequence);
  CREATE TABLE usage (
    tenant TEXT NOT NULL,
    day TEXT NOT NULL,
    model TEXT NOT NULL,
    user TEXT NOT NULL,
    currency TEXT NOT NULL,
    answer_count INTEGER NOT NULL,
    cached_count INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, model, user, currency)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE ledger (
    tenant TEXT NOT NULL,
    request_id TEXT NOT NULL,
    answer_id TEXT NOT NULL,
    user TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (tenant, request_id)
  ) STRICT;
  CREATE INDEX ledger_by_answer ON ledger (tenant, answer_id);
  `,
  `
  ALTER TABLE entries ADD COLUMN documents_of INTEGER;
  CREATE INDEX entries_by_documents ON entries (tenant, documents_of, sequence) WHERE documents_of IS NOT NULL;
  `,
  `
  ALTER TABLE entries ADD COLUMN redacted_by INTEGER;
  CREATE TABLE subjects (
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    subject TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX subjects_by_user ON subjects (user);
  `,
  `
  CREATE TABLE usage_totals (
    tenant TEXT NOT NULL, dimension TEXT NOT NULL, period TEXT NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL,
    call_count INTEGER NOT NULL,
    answer_count INTEGER NOT NULL,
    cached_count INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    saved_tokens INTEGER NOT NULL,
    saved_micros INTEGER NOT NULL,
    PRIMARY KEY (tenant, dimension, period, name, currency)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO usage_totals
    SELECT tenant, 'model', day, model, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, model, currency;
  INSERT INTO usage_totals
    SELECT tenant, 'user', day, user, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, user, currency;
  INSERT INTO usage_totals
    SELECT tenant, 'user', substr(day, 1, 7), user, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, substr(day, 1, 7), user, currency;
  INSERT INTO usage_totals
    SELECT tenant, 'purpose', day, '', currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, currency;
  INSERT INTO usage_totals
    SELECT '', 'tenant', day, tenant, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, currency;
  `,
  // SQLite cannot change a primary key.
  `
  CREATE TABLE usage_by_key (
    tenant TEXT NOT NULL,
    day TEXT NOT NULL,
    model TEXT NOT NULL,
    user TEXT NOT NULL,
    key_id TEXT NOT NULL,
    cost_centre TEXT NOT NULL,
    currency TEXT NOT NULL,
    answer_count INTEGER NOT NULL,
    cached_count INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, model, user, key_id, cost_centre, currency)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO usage_by_key
    SELECT tenant, day, model, user, '', '', currency, answer_count, cached_count, prompt_tokens, completion_tokens,
      cost_micros FROM usage;
  DROP TABLE usage;
  ALTER TABLE usage_by_key RENAME TO usage;
  `,
];

const postgres: readonly string[] = [
  `
  CREATE TABLE entries (
    tenant text NOT NULL COLLATE "C",
    sequence bigint NOT NULL CHECK (sequence >= 1),
    answer_id text NOT NULL COLLATE "C",
    "user" text NOT NULL COLLATE "C",
    recorded_at bigint NOT NULL,
    bytes bytea NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant, sequence)
  );
  CREATE UNIQUE INDEX entries_by_answer ON entries (tenant, answer_id);
  CREATE INDEX entries_by_time ON entries (tenant, recorded_at, sequence);
  CREATE INDEX entries_by_user ON entries (tenant, "user", sequence);
  CREATE TABLE chains (
    tenant text NOT NULL COLLATE "C" PRIMARY KEY,
    last_sequence bigint NOT NULL,
    last_hash bytea NOT NULL
  );
  CREATE TABLE entry_documents (
    tenant text NOT NULL COLLATE "C",
    document_id text NOT NULL COLLATE "C",
    sequence bigint NOT NULL,
    PRIMARY KEY (tenant, document_id, sequence)
  );
  CREATE INDEX documents_by_entry ON entry_documents (tenant, sequence);
  CREATE TABLE usage (
    tenant text NOT NULL COLLATE "C",
    day text NOT NULL COLLATE "C",
    model text NOT NULL COLLATE "C",
    "user" text NOT NULL COLLATE "C",
    currency text NOT NULL COLLATE "C",
    answer_count bigint NOT NULL,
    cached_count bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost_micros bigint NOT NULL,
    PRIMARY KEY (tenant, day, model, "user", currency)
  );
  CREATE TABLE ledger (
    tenant text NOT NULL COLLATE "C",
    request_id text NOT NULL COLLATE "C",
    answer_id text NOT NULL COLLATE "C",
    "user" text NOT NULL COLLATE "C",
    requested_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (tenant, request_id)
  );
  CREATE INDEX ledger_by_answer ON ledger (tenant, answer_id);
  `,
  `
  ALTER TABLE entries ADD COLUMN documents_of bigint;
  CREATE INDEX entries_by_documents ON entries (tenant, documents_of, sequence) WHERE documents_of IS NOT NULL;
  `,
  `
  ALTER TABLE entries ADD COLUMN redacted_by bigint;
  CREATE TABLE subjects (
    tenant text NOT NULL COLLATE "C",
    "user" text NOT NULL COLLATE "C",
    subject text NOT NULL COLLATE "C" UNIQUE,
    key_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (tenant, "user")
  );
  CREATE INDEX subjects_by_user ON subjects ("user");
  `,
  `
  CREATE TABLE usage_totals (
    tenant text NOT NULL COLLATE "C", dimension text NOT NULL COLLATE "C", period text NOT NULL COLLATE "C", name text NOT NULL COLLATE "C", currency text NOT NULL COLLATE "C",
    call_count bigint NOT NULL,
    answer_count bigint NOT NULL,
    cached_count bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost_micros bigint NOT NULL,
    saved_tokens bigint NOT NULL,
    saved_micros bigint NOT NULL,
    PRIMARY KEY (tenant, dimension, period, name, currency)
  );
  INSERT INTO usage_totals
    SELECT tenant, 'model', day, model, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, model, currency;
  INSERT INTO usage_totals
    SELECT tenant, 'user', day, "user", currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, "user", currency;
  INSERT INTO usage_totals
    SELECT tenant, 'user', substr(day, 1, 7), "user", currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, substr(day, 1, 7), "user", currency;
  INSERT INTO usage_totals
    SELECT tenant, 'purpose', day, '', currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, currency;
  INSERT INTO usage_totals
    SELECT '', 'tenant', day, tenant, currency, 0, SUM(answer_count), SUM(cached_count), SUM(prompt_tokens),
      SUM(completion_tokens), SUM(cost_micros), 0, 0 FROM usage GROUP BY tenant, day, currency;
  `,
  `
  ALTER TABLE usage ADD COLUMN key_id text NOT NULL DEFAULT '' COLLATE "C";
  ALTER TABLE usage ADD COLUMN cost_centre text NOT NULL DEFAULT '' COLLATE "C";
  ALTER TABLE usage DROP CONSTRAINT usage_pkey;
  ALTER TABLE usage ADD PRIMARY KEY (tenant, day, model, "user", key_id, cost_centre, currency);
  `,
];

/** Schema changes of both engines. */
export const migrations: Migrations = { sqlite, postgres };
