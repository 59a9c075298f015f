import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { readSettings, type Settings, type SettingsShape } from '#kit/host/config/adapter-settings.ts';
import { freePort, type ServerCommand, startTestServer, type TestServer } from '#kit/testing/server.ts';
import type { EmbeddedStoreDeps } from '../sqlite/embedded-store.ts';
import { createSqliteThreads } from '../sqlite/threads.ts';
import type { StoreServer } from './row-store.suite.ts';

/** A real server that a test may kill and start again: same port, same folder. */
export interface RestartableServer extends StoreServer {
  port: number;
  close(): Promise<void>;
}

/** Starts a server. `args` gets the folder that its restarts share. */
export async function startRestartable(command: ServerCommand): Promise<RestartableServer> {
  const port = command.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-store-'));
  const open = () => startTestServer({ ...command, port, args: (at) => command.args(at, folder) });
  let server: TestServer = await open();
  return {
    port,
    kill: () => server.kill(),
    async start() {
      await server[Symbol.asyncDispose]();
      server = await open();
    },
    async close() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Opens an adapter's store on a server of its own. Closing the store stops the server too. */
export async function openOn<S, T extends { close(): Promise<void> }>(
  server: AsyncDisposable,
  adapter: { create(settings: S, deps: EmbeddedStoreDeps): T | Promise<T> },
  settings: S,
): Promise<T> {
  const threads = createSqliteThreads(1);
  const store = await adapter.create(settings, { folder: '', threads });
  return {
    ...store,
    async close() {
      await store.close();
      await threads.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Returns the settings of an adapter: its defaults, changed by `given`. */
export function settingsOf<Shape extends SettingsShape>(
  adapter: { settings: Shape },
  given: JsonObject,
): Settings<Shape> {
  return readSettings(adapter.settings, given, 'retrieval.settings');
}
