import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Database, Migrations } from '#kit/storage/database.ts';
import { readSealed, sealFor } from '#kit/storage/encryption/sealed-file.ts';
import { createOnce } from '#kit/storage/files/create-once.ts';

/** Cached tags. */
const maxTags = 10_000;

/** The table that replicas share. */
export interface TagSchema {
  /** One row. */
  tag_secret: { id: number; secret: Uint8Array };
}

/** Schema changes of the table. */
export const tagMigrations = {
  sqlite: [],
  postgres: ['CREATE TABLE tag_secret (id bigint PRIMARY KEY CHECK (id = 1), secret bytea NOT NULL)'],
} satisfies Migrations;

/** Returns the secret of this data folder: `tenant-tag.key`, created at the first start, readable by its owner only. */
export function readTagSecret(dataDir: string): Uint8Array {
  return readOrCreate(join(dataDir, 'tenant-tag.key'));
}

/** Returns the secret that all replicas use: that of the first one, `own` if there is none yet. */
export async function shareTagSecret(database: Database<TagSchema>, own: Uint8Array): Promise<Uint8Array> {
  await database
    .insertInto('tag_secret')
    .values({ id: 1, secret: own })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { secret } = await database.selectFrom('tag_secret').select('secret').executeTakeFirstOrThrow();
  return secret;
}

/**
 * Creates names of tenants for providers. The name of a tenant is stable as long as the secret exists, and cannot be traced to the tenant
 * without it.
 */
export function createTenantTags(secret: Uint8Array): (tenant: string) => string {
  const tags = new LRUCache<string, string>({ max: maxTags });
  return (tenant) => {
    const known = tags.get(tenant);
    if (known !== undefined) return known;
    const tag = createHmac('sha256', secret).update(tenant).digest('hex').slice(0, 32);
    tags.set(tenant, tag);
    return tag;
  };
}

function readOrCreate(path: string): Buffer {
  const read = () => Buffer.from(readSealed(path).trim(), 'hex');
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  createOnce(path, sealFor(path, randomBytes(32).toString('hex')));
  return read();
}
