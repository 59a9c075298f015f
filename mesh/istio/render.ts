import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeOrCheck } from '../reference/generated-files.ts';
import { services } from '../run.ts';
import { root } from '../tools.ts';
import { folder, renderFiles } from './render/files.ts';
import { header } from './render/objects.ts';

// `npm run mesh:render`: the manifests of deployments/kubernetes. With `--check`, it writes nothing and names the files that differ.

/** Returns generated files that nothing generates any more, by their path in the repository. */
function staleFiles(files: ReadonlyMap<string, string>): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, 'utf8').startsWith(header))
    .map((path) => path.slice(root.length).replaceAll('\\', '/'))
    .filter((path) => !files.has(path));
}

if (import.meta.main) {
  const isCheck = process.argv.includes('--check');
  const files = renderFiles(services);
  process.exitCode = writeOrCheck(files, process.argv);
  const stale = staleFiles(files);
  if (stale.length > 0) {
    process.stdout.write(`${isCheck ? 'no longer generated' : 'removed'}: ${stale.join(', ')}\n`);
    if (isCheck) process.exitCode = 1;
    else for (const path of stale) rmSync(join(root, path));
  }
}
