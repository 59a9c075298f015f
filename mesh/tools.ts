import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The tools of `npm run verify`, run by the Node that runs this process, whatever `node` is first on the PATH.

/** Folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const packages = {
  biome: '@biomejs/biome',
  buf: '@bufbuild/buf',
  'protoc-gen-es': '@bufbuild/protoc-gen-es',
  tsc: 'typescript',
  vitest: 'vitest',
};

/** A tool, by the name of its command. */
export type Tool = keyof typeof packages;

/** Runs a tool in the folder of the repository. Returns its output if it fails, otherwise `undefined`. */
export function runTool(tool: Tool, ...args: string[]): string | undefined {
  return runScript(scriptOf(tool), ...args);
}

/** Runs a script in the folder of the repository. Returns its output if it fails, otherwise `undefined`. */
export function runScript(script: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return status === 0 ? undefined : `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`;
}

/** Generates the code of the contracts into `folder`. Returns the output of buf if it fails. */
export function generateInto(folder: string): string | undefined {
  // buf starts its plugins itself, and finds Node by the PATH unless the template names it.
  const plugin = JSON.stringify([process.execPath, scriptOf('protoc-gen-es')]);
  const template = readFileSync(join(root, 'buf.gen.yaml'), 'utf8');
  const named = template.replace('local: protoc-gen-es', `local: ${plugin}`);
  if (named === template) return 'buf.gen.yaml names no plugin "local: protoc-gen-es": change mesh/tools.ts with it';
  return runTool('buf', 'generate', '--template', named, '--output', folder);
}

function scriptOf(tool: Tool): string {
  const folder = join(root, 'node_modules', packages[tool]);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, bin[tool]);
}
