import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '#kit/base/config-error.ts';
import { generateInto, root, runScript, runTool, type Tool } from '../tools.ts';

/** Files to write: new ones by path with their text, and changes of files that exist. Paths are relative to the root. */
export interface TreeChange {
  readonly created: Readonly<Record<string, string>>;
  readonly changed: Readonly<Record<string, (text: string) => string>>;
  /** Whether the contracts change, so that code is generated. */
  readonly hasContracts: boolean;
}

/** What makes pages and manifests of all services. */
const renderers = ['mesh/reference/render.ts', 'mesh/istio/render.ts'];

/** Returns the text of a file of the repository. */
export const readRepositoryFile = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Writes the files, generates code, and formats them. Returns the paths. Throws ConfigError, and writes nothing, if one exists already. */
export function applyFiles({ created, changed, hasContracts }: TreeChange): string[] {
  const taken = Object.keys(created).find((path) => existsSync(join(root, path)));
  if (taken !== undefined) throw new ConfigError(taken, 'exists already: choose another name');
  // All changes are computed before the first is written.
  const texts = { ...created };
  for (const [path, change] of Object.entries(changed)) texts[path] = change(readRepositoryFile(path));
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  if (hasContracts) throwOutput(generateInto(root));
  const sources = Object.keys(texts).filter((path) => path.endsWith('.ts'));
  run('biome', 'check', '--write', ...sources);
  // In processes of their own, which load the services as they are now.
  if (hasContracts) for (const script of renderers) throwOutput(runScript(script));
  return Object.keys(texts);
}

function run(tool: Tool, ...args: string[]): void {
  throwOutput(runTool(tool, ...args));
}

function throwOutput(output: string | undefined): void {
  if (output !== undefined) throw new Error(output);
}

/** Returns a name in other forms: "llm-gateway" as `llmGateway`, `LlmGateway`, `llm_gateway`. */
export function formsOf(name: string): { camel: string; pascal: string; snake: string } {
  const camel = name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return { camel, pascal: camel.charAt(0).toUpperCase() + camel.slice(1), snake: name.replaceAll('-', '_') };
}
