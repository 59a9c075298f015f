import { realpath } from 'node:fs/promises';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { readAllowedHosts } from '#kit/http/guard/addresses.ts';
import { createAddressGuard, type ResolveName } from '#kit/http/guard/guard.ts';
import { createGuardedHttp } from '#kit/http/guard/guarded-http.ts';
import type { Source, SourceDeps } from '../sources/source.ts';

const folder = new URL('../adapters/source/', import.meta.url);

/** Opens a source as the indexer does. Loopback is allowed, and every folder. */
export async function openTestSource(
  adapter: string,
  settings: object,
  more: Partial<SourceDeps> & { names?: ResolveName; allow?: string[] } = {},
): Promise<Source> {
  const guard = createAddressGuard(readAllowedHosts(more.allow ?? ['127.0.0.0/8'], 'allow'), more.names);
  const http = createGuardedHttp({ guard });
  const deps: SourceDeps = {
    guard,
    http,
    pace: async (signal) => signal.throwIfAborted(),
    allowPath: realpath,
    scratchFolder: () => Promise.reject(new Error('this test has no folder for copies')),
    maxBytes: 1 << 20,
    clock: () => 1_800_000_000_000,
    ...more,
  };
  const source = await createFromAdapter<Source, SourceDeps>(folder, adapter, settings as never, deps, 'settings');
  return {
    ...source,
    async close() {
      await source.close();
      await http.close();
    },
  };
}
