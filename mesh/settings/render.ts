import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DescMessage } from '@bufbuild/protobuf';
import { root, runTool } from '../tools.ts';
import { readContract } from './describe.ts';
import { renderExample } from './example.ts';
import { renderSchema } from './json-schema.ts';
import { fillTables } from './tables.ts';

// `npm run settings:render`: all that is made from the settings of config.proto and of the adapters. With `--check`, it writes nothing
// and names the files that differ.

/** Returns the contract of the configuration with its comments. */
export function buildContract(): DescMessage {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-settings-'));
  const image = join(folder, 'config.binpb');
  try {
    const problem = runTool('buf', 'build', '--path', 'proto/ragmesh/config', '-o', image);
    if (problem !== undefined) throw new Error(problem);
    return readContract(readFileSync(image));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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

if (import.meta.main) {
  const isCheck = process.argv.includes('--check');
  const drifted: string[] = [];
  for (const [path, text] of await renderAll(buildContract())) {
    const file = join(root, path);
    if (read(file) === text) continue;
    drifted.push(path);
    if (!isCheck) writeFileSync(file, text);
  }
  if (drifted.length > 0) process.stdout.write(`${isCheck ? 'differs' : 'written'}: ${drifted.join(', ')}\n`);
  process.exitCode = isCheck && drifted.length > 0 ? 1 : 0;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
