import { sql } from 'kysely';
import { createFindPersonalData, type FindPersonalData } from '#kit/personal-data/find.ts';
import type { Database } from '#kit/storage/database.ts';
import type { RecordsSchema } from '../uploads/records.ts';

/** Documents that are read, the latest first, characters of each, and values that are returned. */
const documentsMax = 200;
const lengthMax = 20_000;
const valuesMax = 1000;

/** Reads the phone numbers and e-mail addresses that a tenant publishes. */
export type PublishedContacts = (tenant: string) => Promise<string[]>;

/**
 * Creates the reading of what a tenant publishes: the phone numbers and e-mail addresses in its live documents with `access: public` that
 * everyone may see. They stay in other documents too.
 */
export function createPublishedContacts(db: Database<RecordsSchema>): PublishedContacts {
  let find: FindPersonalData | undefined;
  return async (tenant) => {
    const rows = await db
      .selectFrom('documents')
      .select(['groups', sql<string>`substr(text, 1, ${lengthMax})`.as('text')])
      .where('tenant', '=', tenant)
      .where('is_published', '=', 1)
      .where('retired_at', 'is', null)
      .where(sql<boolean>`lower(attributes) like '%"access":"public"%'`)
      .orderBy('indexed_at', 'desc')
      .orderBy('document_id')
      .limit(documentsMax)
      .execute();
    // Tenants that mask nothing never need it.
    find ??= createFindPersonalData({ except: ['ADDRESS', 'PERSON'] });
    const values = new Set<string>();
    for (const { groups, text } of rows) {
      if ((JSON.parse(groups) as string[]).length > 0) continue;
      for (const { kind, start, end } of find(text)) {
        if ((kind === 'PHONE' || kind === 'EMAIL') && values.size < valuesMax) values.add(text.slice(start, end));
      }
      // Other work of the process has its turn between documents.
      await new Promise(setImmediate);
    }
    return [...values].sort();
  };
}
