import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescMessage } from '@bufbuild/protobuf';
import { buildImage, writeOrCheck } from '../reference/generated-files.ts';
import { root } from '../tools.ts';
import { readContract } from './describe.ts';
import { renderExample } from './example.ts';
import { renderSchema } from './json-schema.ts';
import { fillTables } from './tables.ts';

// `npm run settings:render`: all that is made from the settings of config.proto and of the adapters. With `--check`, it writes nothing
// and names the files that differ.

/** Returns the contract of the configuration with its comments. */
export function buildContract(): DescMessage {
  return readContract(buildImage('proto/ragmesh/config'));
}

/** Returns the text of every file that is made, by its path in the repository. */
export async function renderAll(config: DescMessage): Promise<Map<string, string>> {
  const files = new Map([
    ['ragmesh.example.yaml', renderExample(config)],
    ['ragmesh.schema.json', await renderSchema(config)],
  ]);
  const readmes = readdirSync(join(root, 'services')).map((name) => `services/${name}/README.md`);
  for (const path of [...readmes, 'mesh/settings/README.md']) {
    files.set(path, await fillTables(readFileSync(join(root, path), 'utf8'), config));
  }
  return files;
}

if (import.meta.main) process.exitCode = writeOrCheck(await renderAll(buildContract()), process.argv);
