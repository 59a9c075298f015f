import { insertFrom, plain, renewing, rows, type Sql, sql, update } from './engines/sql.ts';

// The statements that renew a tenant's state, in which other replicas see that something has changed, and its revision, in which readers do.

/** Returns the name of a tenant's state. */
export const stateName = (epoch: string, generation: number): string => `${epoch}-${generation}`;

/** Returns the condition that a document is in a version. */
export const inVersion = (version: number): Sql => sql`added_in <= ${version} AND removed_in > ${version}`;

/** Returns the statement that makes the tenant's row, if there is none. */
export const newTenant = (epoch: string): Sql =>
  insertFrom(
    'tenant',
    ['epoch', 'revision'],
    sql`SELECT ${epoch}, 0 WHERE NOT EXISTS (SELECT 1 FROM ${rows('tenant')})`,
  );

/** Returns the statement that renews the tenant's state. `more`: other columns that it sets, after a comma. */
export const newState = (more: Sql = plain('')): Sql =>
  renewing(update('tenant', sql`generation = generation + 1${more}`));

/** Returns the statements that make a new revision of the tenant and the corpus, so that readers see a change. */
export const newRevision = (corpusId: number): Sql[] => [
  newState(sql`, revision = revision + 1`),
  update('corpus', sql`revision = (SELECT revision FROM ${rows('tenant')})`, sql`id = ${corpusId}`),
];
