import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { services } from '../run.ts';
import { root, runTool } from '../tools.ts';
import { renderErrors } from './errors.ts';
import { renderFigure } from './figure.ts';
import { renderMetrics } from './metrics.ts';

// `npm run reference:render`: the pages that are generated from the code. With `--check`, it writes nothing and names the files that
// differ.

/** Returns the text of every generated page, by its path in the repository. */
export async function renderReference(): Promise<Map<string, string>> {
  return new Map([
    ['deployments/architecture.svg', renderFigure(services)],
    ['deployments/METRICS.md', await renderMetrics()],
    ['proto/ERRORS.md', renderErrors(buildImage())],
  ]);
}

/** Returns the contracts with their comments, as `buf build` writes them. */
function buildImage(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-reference-'));
  const image = join(folder, 'contracts.binpb');
  try {
    const problem = runTool('buf', 'build', '--path', 'proto/ragmesh/common', '-o', image);
    if (problem !== undefined) throw new Error(problem);
    return readFileSync(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const isCheck = process.argv.includes('--check');
  const drifted: string[] = [];
  for (const [path, text] of await renderReference()) {
    const file = join(root, path);
    if (readIfThere(file) === text) continue;
    drifted.push(path);
    if (!isCheck) writeFileSync(file, text);
  }
  if (drifted.length > 0) process.stdout.write(`${isCheck ? 'differs' : 'written'}: ${drifted.join(', ')}\n`);
  process.exitCode = isCheck && drifted.length > 0 ? 1 : 0;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
