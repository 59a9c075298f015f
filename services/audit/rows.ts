/** Most rows of a statement: far below SQLite's limit on parameters, with any table here. */
const maxRows = 256;

/**
 * Inserts rows by statements of 256, 128, …, 2, 1 rows: nine texts of SQL in all, each prepared once, where a text for every
 * count would be prepared anew all the time.
 */
export async function insertAll<Row>(
  rows: readonly Row[],
  insert: (rows: readonly Row[]) => Promise<unknown>,
): Promise<void> {
  let size = maxRows;
  for (let start = 0; start < rows.length; start += size) {
    while (size > rows.length - start) size /= 2;
    await insert(rows.slice(start, start + size));
  }
}

/** Names something of a tenant, in maps. */
export const keyOf = (tenant: string, id: string): string => JSON.stringify([tenant, id]);

/** Tenants of a batch, each once. */
export const tenantsOf = (batch: readonly { tenant: string }[]): string[] => [
  ...new Set(batch.map(({ tenant }) => tenant)),
];
