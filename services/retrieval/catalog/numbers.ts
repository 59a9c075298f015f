import { insertFrom, oneOf, rows, sql, update } from './engines/sql.ts';
import type { CatalogTables } from './engines/tables.ts';

/** The numbers that the catalog assigns. None is assigned twice. */
export interface NumberCatalog {
  /** Assigns keys of documents and chunks: returns the first of `count` keys. */
  takeKeys(tenant: string, count: number): Promise<number>;
  /** Returns the number of each access list, given by its sorted groups; assigns one to a list that has none. */
  aclIdsOf(tenant: string, lists: readonly (readonly string[])[]): Promise<number[]>;
}

/** Creates the catalog of numbers. */
export function createNumberCatalog(tables: CatalogTables): NumberCatalog {
  return {
    async takeKeys(tenant, count) {
      const taken = sql`${update('tenant', sql`last_key = last_key + ${count}`)} RETURNING last_key`;
      const [[row] = []] = await tables.write(tenant, [taken]);
      if (row === undefined) throw new Error(`tenant "${tenant}" has no catalog`);
      return (row.last_key as number) - count + 1;
    },
    async aclIdsOf(tenant, lists) {
      const texts = lists.map((groups) => JSON.stringify(groups));
      const results = await tables.write(tenant, [
        ...texts.map((text) =>
          insertFrom(
            'acl',
            ['id', 'groups'],
            sql`SELECT (SELECT coalesce(max(id), 0) + 1 FROM ${rows('acl')}), ${text}
              WHERE NOT EXISTS (SELECT 1 FROM ${rows('acl')} WHERE groups = ${text})`,
          ),
        ),
        sql`SELECT id, groups FROM ${rows('acl')} WHERE ${oneOf('groups', texts)}`,
      ]);
      const ids = new Map(results.at(-1)?.map(({ id, groups }) => [groups as string, id as number]));
      return texts.map((text) => ids.get(text) as number);
    },
  };
}
