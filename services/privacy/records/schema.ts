import type { Migrations } from '#kit/storage/database.ts';

/** Tables of privacy. Times are milliseconds since 1970. */
export interface PrivacySchema {
  /** Erasures: one row each, written before the first step and after each one. */
  erasures: ErasureRow;
  /** Legal holds. */
  holds: HoldRow;
  /** Background work: one row for each kind. */
  sweeps: SweepRow;
}

/** When background work is due, and who does it. */
export interface SweepRow {
  name: string;
  /** The process that has the right to do it; empty: none. */
  owner: string;
  lease_until: number;
  due_at: number;
}

/** An erasure. */
export interface ErasureRow {
  tenant: string;
  id: string;
  /** The target as JSON; empty once it has finished: it would be the last place that names it. */
  target: string;
  /** Roles and groups are not kept: the steps run with those of a service. */
  requested_by: string;
  requested_at: number;
  finished_at: number | null;
  /** The steps that have ended, as JSON: of each, what was found. */
  done: string;
}

/** A hold; an empty user is all of the tenant. */
export interface HoldRow {
  tenant: string;
  user: string;
  reason: string;
  set_by: string;
  set_at: number;
}

const sqlite = [
  `CREATE TABLE erasures (
  tenant TEXT NOT NULL, id TEXT NOT NULL, target TEXT NOT NULL, requested_by TEXT NOT NULL, requested_at INTEGER NOT NULL,
  finished_at INTEGER, done TEXT NOT NULL, PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_open ON erasures (requested_at) WHERE finished_at IS NULL;
CREATE TABLE holds (
  tenant TEXT NOT NULL, user TEXT NOT NULL, reason TEXT NOT NULL, set_by TEXT NOT NULL, set_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, user)
) STRICT, WITHOUT ROWID;
`,
  `CREATE TABLE sweeps (
  name TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, lease_until INTEGER NOT NULL, due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
];

const postgres = [
  `CREATE TABLE erasures (
  tenant text NOT NULL COLLATE "C", id text NOT NULL COLLATE "C", target text NOT NULL, requested_by text NOT NULL,
  requested_at bigint NOT NULL, finished_at bigint, done text NOT NULL, PRIMARY KEY (tenant, id)
);
CREATE INDEX erasures_open ON erasures (requested_at) WHERE finished_at IS NULL;
CREATE TABLE holds (
  tenant text NOT NULL COLLATE "C", "user" text NOT NULL COLLATE "C", reason text NOT NULL, set_by text NOT NULL,
  set_at bigint NOT NULL, PRIMARY KEY (tenant, "user")
);
`,
  `CREATE TABLE sweeps (
  name text NOT NULL COLLATE "C" PRIMARY KEY, owner text NOT NULL, lease_until bigint NOT NULL, due_at bigint NOT NULL
);
`,
];

/** Schema changes of both engines. */
export const migrations: Migrations = { sqlite, postgres };
