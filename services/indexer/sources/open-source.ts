import { mkdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { SourceSettings } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { factsOf, readSettings } from '#kit/host/config/adapter-settings.ts';
import { type Adapter, loadAdapter } from '#kit/host/config/adapters.ts';
import type { AddressGuard } from '#kit/http/guard/guard.ts';
import { createGuardedHttp } from '#kit/http/guard/guarded-http.ts';
import type { Source, SourceDeps } from './source.ts';

/** A secret that the sources of a tenant may name. */
export interface SourceSecret {
  readonly tenant: string;
  readonly name: string;
  readonly value: string;
}

/** What opening a source needs. */
export interface OpenSourceDeps {
  guard: AddressGuard;
  secrets: readonly SourceSecret[];
  allowedFolders: readonly string[];
  /** Folder for copies of sources. */
  scratchDir: string;
  maxBytes: number;
  clock: () => number;
}

/** Opens the places that settings name. */
export type OpenSource = (tenant: string, sourceId: string, settings: SourceSettings) => Promise<Source>;

const folder = new URL('../adapters/source/', import.meta.url);
const requestsPerMinute = 120;
const secretName = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Creates the function that opens sources. It throws INVALID_ARGUMENT for settings that no source can have. */
export function createOpenSource(deps: OpenSourceDeps): OpenSource {
  return async (tenant, sourceId, settings) => {
    const { create, values } = await checkedAdapter(tenant, settings, deps.secrets);
    const pace = createPace(settings.requestsPerMinute ?? requestsPerMinute, deps.clock);
    const http = createGuardedHttp({ guard: deps.guard });
    const given: SourceDeps = {
      guard: deps.guard,
      http: {
        ...http,
        async send(request, signal) {
          await pace(signal);
          return http.send(request, signal);
        },
      },
      pace,
      allowPath: (path) => allowPath(path, deps.allowedFolders),
      async scratchFolder() {
        const path = join(deps.scratchDir, sourceId);
        await mkdir(path, { recursive: true });
        return path;
      },
      maxBytes: deps.maxBytes,
      clock: deps.clock,
    };
    try {
      const source = await create(values, given);
      return {
        ...source,
        async close() {
          await source.close();
          await http.close();
        },
      };
    } catch (error) {
      await http.close();
      throw toInvalid(error);
    }
  };
}

/** Checks settings without opening the place. Throws INVALID_ARGUMENT. */
export async function checkSourceSettings(
  tenant: string,
  settings: SourceSettings,
  secrets: readonly SourceSecret[],
): Promise<void> {
  await checkedAdapter(tenant, settings, secrets);
}

async function checkedAdapter(tenant: string, settings: SourceSettings, secrets: readonly SourceSecret[]) {
  try {
    const loaded = await loadAdapter(folder, settings.adapter, 'settings');
    const adapter = loaded as Adapter<Source, SourceDeps>;
    const given = settings.settings ?? {};
    for (const [name, schema] of Object.entries(adapter.settings)) {
      const value = given[name];
      // What is stored can be read by other operators and is in backups.
      if (factsOf(schema).writeOnly && typeof value === 'string' && value !== '' && value.search(secretName) === -1) {
        const problem = 'is a secret: name one of indexer.sources.secrets as $' + '{NAME}';
        throw new ConfigError(`settings.settings.${name}`, problem);
      }
    }
    const mine = new Map(secrets.filter((secret) => secret.tenant === tenant).map(({ name, value }) => [name, value]));
    const values = readSettings(adapter.settings, fill(given, mine) as JsonObject, 'settings.settings');
    return { create: adapter.create, values };
  } catch (error) {
    throw toInvalid(error);
  }
}

/** Returns the value with secrets in the place of their names. */
function fill(value: JsonValue, secrets: ReadonlyMap<string, string>): JsonValue {
  if (typeof value === 'string') {
    return value.replace(secretName, (_, name: string) => {
      const secret = secrets.get(name);
      if (secret !== undefined) return secret;
      throw invalidArgument(`settings: no secret "${name}" of this tenant in indexer.sources.secrets`);
    });
  }
  if (Array.isArray(value)) return value.map((part) => fill(part, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, fill(part, secrets)]));
}

const toInvalid = (error: unknown) =>
  error instanceof ConfigError ? invalidArgument(error.message, { cause: error }) : error;

/** Returns the real path of `path` if it is below an allowed folder, also after links were followed. */
async function allowPath(path: string, allowedFolders: readonly string[]): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  for (const allowed of allowedFolders) {
    const root = await realpath(allowed).catch(() => undefined);
    if (real !== undefined && root !== undefined && (real === root || real.startsWith(root === sep ? sep : root + sep)))
      return real;
  }
  throw invalidArgument(`"${path.slice(0, 200)}" is in no folder of indexer.sources.allowed_folders`);
}

/** Returns a wait that lets `perMinute` calls through in a minute, evenly, with a few in a row at first. */
function createPace(perMinute: number, clock: () => number): (signal: AbortSignal) => Promise<void> {
  const intervalMs = 60_000 / perMinute;
  const burstMs = Math.min(2000, 10 * intervalMs);
  let nextAtMs = 0;
  return async (signal) => {
    const now = clock();
    nextAtMs = Math.max(nextAtMs, now - burstMs) + intervalMs;
    if (nextAtMs > now) await sleep(nextAtMs - now, signal);
    signal.throwIfAborted();
  };
}
