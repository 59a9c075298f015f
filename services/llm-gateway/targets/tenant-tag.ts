import { createHmac, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';

/** Cached tags. */
const maxTags = 10_000;

/**
 * Creates names of tenants for providers. The name of a tenant is stable as long as the data folder exists, and cannot be traced to the
 * tenant without the secret in it (`tenant-tag.key`, created at the first start, readable by its owner only).
 */
export function createTenantTags(dataDir: string): (tenant: string) => string {
  const secret = readOrCreate(join(dataDir, 'tenant-tag.key'));
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
  const read = () => Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Written to another file and linked: no process reads half a secret, and the first of two that start together wins.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, randomBytes(32).toString('hex'), { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return read();
}
