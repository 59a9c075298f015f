import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A TypeScript file and what it imports. */
export interface Source {
  /** Path from the root, with "/". */
  readonly path: string;
  readonly text: string;
  /** Packages by name, own files by their path from the root; static, dynamic and type imports. */
  readonly imports: readonly string[];
}

/** Folders at the top level that may exist. */
export const topLevel = ['proto', 'gen', 'services', 'mesh', 'deployments'];

/** Returns every TypeScript file under the top-level folders. */
export function readSources(): Source[] {
  return topLevel.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .filter((path) => !/node_modules|\/dist\/|\.d\.ts$/.test(path))
      .map((path) => toSource(path, readFileSync(join(root, path), 'utf8'))),
  );
}

/** Returns a file as the rules see it. */
export function toSource(path: string, text: string): Source {
  return { path, text, imports: importsOf(path, text) };
}

/** Reports whether a file is test code: tests, suites, helpers, and what runs only in development. */
export function isTestCode(path: string): boolean {
  return /\.(test|suite)\.tsx?$|\/(testing|suites)\/|^mesh\/(e2e|bench|conformance|tidy)\//.test(path);
}

const specifiers =
  /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"`]([^'"`]+)['"`]/gm;

function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(specifiers)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    if (name.startsWith('#gen/')) return name.replace('#gen/', 'gen/');
    if (name.startsWith('#kit/')) return name.replace('#kit/', 'mesh/kit/');
    return name.startsWith('.') ? normalize(join(dirname(path), name)).replaceAll('\\', '/') : name;
  });
}
