import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { expect } from 'vitest';
import {
  type SourceRun,
  SourceRunState,
  SourceService,
  type SourceSettingsSchema,
} from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, startIndexerMesh } from './indexer-mesh.ts';

/** Settings of a source. */
export type Settings = MessageInitShape<typeof SourceSettingsSchema>;

/** An indexer with sources over folders. */
export interface SourceMesh {
  mesh: IndexerMesh;
  client: Client<typeof SourceService>;
  /** The folder in which sources may read. */
  allowed: string;
  /** Sources that are deleted by `clear`. */
  made: string[];
  define: (files: Record<string, string>, more?: Settings) => Promise<SourceOfFolder>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** A source over a folder, and what a test does with it. */
export type SourceOfFolder = Awaited<ReturnType<typeof defineSource>>;

/** Starts an indexer whose sources may read one folder. */
export async function startSourceMesh(): Promise<SourceMesh> {
  const allowed = mkdtempSync(join(tmpdir(), 'ragmesh-sources-'));
  const secrets = [{ tenant: 'other', name: 'KEY', value: 'k' }];
  const mesh = await startIndexerMesh({ config: { sources: { allowedFolders: [allowed], secrets } } });
  const client = mesh.mesh.client(SourceService);
  const made: string[] = [];
  let count = 0;
  return {
    mesh,
    client,
    allowed,
    made,
    async define(files, more = {}) {
      const source = await defineSource(`s${++count}`, { mesh, client, allowed }, files, more);
      made.push(source.sourceId);
      return source;
    },
    async clear() {
      for (const sourceId of made.splice(0)) await client.deleteSource({ sourceId }, await mesh.as()).catch(() => {});
    },
    async close() {
      await mesh[Symbol.asyncDispose]();
      rmSync(allowed, { recursive: true });
    },
  };
}

async function defineSource(
  name: string,
  { mesh, client, allowed }: Pick<SourceMesh, 'mesh' | 'client' | 'allowed'>,
  files: Record<string, string>,
  more: Settings,
) {
  const folder = mkdtempSync(join(allowed, 'place-'));
  const write = (changed: Record<string, string>) => {
    for (const [path, text] of Object.entries(changed)) writeFileSync(join(folder, path), text);
  };
  write(files);
  const settings: Settings = { name, corpus: name, adapter: 'folder', settings: { path: folder }, ...more };
  const { source } = await client.createSource({ settings }, await mesh.as());
  const sourceId = source?.sourceId ?? '';
  let runCount = 0;
  /** Waits for the end of the next run, and of its jobs. */
  const ran = async (): Promise<SourceRun> => {
    runCount++;
    const last = await expect
      .poll(
        async () => {
          const { runs } = await client.listSourceRuns({ sourceId }, await mesh.as());
          const run = runs.at(-runCount);
          return run !== undefined && run.state !== SourceRunState.RUNNING ? run : undefined;
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBeDefined()
      .then(async () => (await client.listSourceRuns({ sourceId }, await mesh.as())).runs.at(-runCount));
    for (const jobId of last?.jobIds ?? []) await mesh.finish(jobId);
    return last as SourceRun;
  };
  return {
    sourceId,
    name,
    write,
    remove: (...paths: string[]) => {
      for (const path of paths) rmSync(join(folder, path));
    },
    ran,
    async run(options: { dryRun?: boolean; full?: boolean } = {}): Promise<SourceRun> {
      await client.runSource({ sourceId, ...options }, await mesh.as());
      return ran();
    },
    find: async () => (await client.getSource({ sourceId }, await mesh.as())).source,
    documents: async (groups: string[] = []) => {
      const { documents } = await mesh.client.listDocuments({ corpus: name }, await mesh.as(testPrincipal({ groups })));
      return documents.map(({ documentId }) => documentId.slice(name.length + 1));
    },
    textOf: async (path: string) => {
      const { text } = await mesh.client.getDocument({ corpus: name, documentId: `${name}/${path}` }, await mesh.as());
      return text;
    },
  };
}

const textOf = (name: string) => `# ${name}\n\nWhat is known of ${name}.\n`;

export { textOf as text };

/** Four files. */
export const four = { 'a.md': textOf('a'), 'b.md': textOf('b'), 'c.md': textOf('c'), 'd.md': textOf('d') };
