import type { CatalogStatement, Sql } from './sql.ts';

/** A row by column name. */
export type CatalogRow = Record<string, unknown>;

/** The tables of all tenants. A statement sees the rows of one tenant only. */
export interface CatalogTables {
  /** Returns the rows of a query, all of one state; none if the tenant has no catalog. Sees every write that was acknowledged before. */
  read(tenant: string, query: Sql, signal: AbortSignal): Promise<CatalogRow[]>;
  /** Like {@link read}, for a query of a change that reads a whole version: no search waits for it. */
  scan(tenant: string, query: Sql): Promise<CatalogRow[]>;
  /** Runs statements in one durable transaction, all or none. Returns the rows of each. Belongs inside {@link CatalogChanges.exclusive}. */
  write(tenant: string, statements: readonly CatalogStatement[]): Promise<CatalogRow[][]>;
  /**
   * Returns the stamp of the tenant's rows: two that are equal mean that no row has changed between the calls. `undefined` while a write
   * runs, and if other processes write too.
   */
  stamp(tenant: string): number | undefined;
  /** Removes what deleted rows of the tenant have left in files, or in tables of PostgreSQL (VACUUM). */
  scrub(tenant: string): Promise<void>;
}

/** What other processes do with the same catalog. */
export interface CatalogChanges {
  /** Whether other processes may change the catalog: if not, the caller knows every change. */
  readonly isShared: boolean;
  /**
   * Returns the name of the tenant's current state, which every change of a {@link TenantRecord} renews; `undefined` if the tenant has no
   * catalog. The state is read after the call. Rejects with UNAVAILABLE if it cannot be read.
   */
  currentState(tenant: string, signal: AbortSignal): Promise<string | undefined>;
  /** Runs a change of the tenant while no other process changes it. Changes of one process must come one after another. */
  exclusive<T>(tenant: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /**
   * Throws UNAVAILABLE if another process may be changing the tenant by now, although a change runs here: this process was stopped or cut
   * off for too long. Called before each change of a store, which has no fence.
   */
  requireTurn(tenant: string): void;
  /** Notifies of tenants that another process has changed; `undefined`: any may have changed. It may miss changes. */
  watch(onChange: (tenant: string | undefined) => void): void;
}

/** What keeps a catalog. */
export interface CatalogEngine {
  tables: CatalogTables;
  changes: CatalogChanges;
  close(): Promise<void>;
}
