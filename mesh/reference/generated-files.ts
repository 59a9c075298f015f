import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root, runTool } from '../tools.ts';

// What the renderers of mesh/settings and mesh/reference share.

/** Returns the contracts under `path` with their comments, as `buf build` writes them. Throws with buf's output if they do not build. */
export function buildImage(path: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-image-'));
  const image = join(folder, 'contracts.binpb');
  try {
    const problem = runTool('buf', 'build', '--path', path, '-o', image);
    if (problem !== undefined) throw new Error(problem);
    return readFileSync(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Writes each file whose text differs, and names it. With `--check` among `args` it writes nothing. Returns the exit code: 1 if a file
 * differs and was only checked.
 */
export function writeOrCheck(files: ReadonlyMap<string, string>, args: readonly string[]): number {
  const isCheck = args.includes('--check');
  const drifted = [...files].filter(([path, text]) => readIfThere(join(root, path)) !== text);
  if (!isCheck) {
    for (const [path, text] of drifted) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
  if (drifted.length > 0) {
    process.stdout.write(`${isCheck ? 'differs' : 'written'}: ${drifted.map(([path]) => path).join(', ')}\n`);
  }
  return isCheck && drifted.length > 0 ? 1 : 0;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
