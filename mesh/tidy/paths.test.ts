import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from './source-tree.ts';

// A page names files. Each must exist: as it is written, from the root, or from the folder of the page.

const skipped = /(^|\/)(node_modules|dist|data|\.git)\/|^deployments\/sample|^CHANGELOG\.md$/;
const pages = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.md') && !skipped.test(path));

/** Names of files that a page invents for its examples. */
const examples = /<|\*|…|\{|ragmesh\.yaml|^x\.|^data\//;

function pathsIn(text: string): string[] {
  const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
  const links = [...prose.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map((match) => match[1] ?? '');
  const named = [...prose.matchAll(/`((?:#kit\/)?[\w@.-]+(?:\/[\w.-]+)*\/?)`/g)]
    .map((match) => match[1] ?? '')
    .filter((name) => /^(mesh|services|proto|deployments|#kit)\/|\.(ts|tsx|proto)$/.test(name));
  return [...links, ...named].filter((path) => !examples.test(path));
}

function exists(page: string, path: string): boolean {
  const candidates = path.startsWith('#kit/')
    ? [join(root, 'mesh/kit', path.slice('#kit/'.length))]
    : [join(root, path), join(root, dirname(page), path)];
  return candidates.some((candidate) => existsSync(candidate)) || isNamedShort(page, path);
}

const files = ['mesh', 'services', 'proto', 'deployments'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => !path.includes('/node_modules/')),
);

/** A file may be named without its folder: the page of a service names its own, other pages any. */
function isNamedShort(page: string, path: string): boolean {
  const own = /^services\/[^/]+\//.exec(page)?.[0] ?? '';
  return files.some((file) => file.startsWith(own) && file.endsWith(`/${path}`));
}

describe('every file that a page names exists', () => {
  test.each(pages)('%s', (page) => {
    const missing = [...new Set(pathsIn(readFileSync(join(root, page), 'utf8')))].filter((path) => !exists(page, path));
    expect(missing, 'name the file as it is called now').toEqual([]);
  });

  test('a file that is gone is found, in a link and in the text', () => {
    expect(pathsIn('see [it](mesh/gone.md) and `mesh/kit/gone.ts`, not `x.test.ts`')).toEqual([
      'mesh/gone.md',
      'mesh/kit/gone.ts',
    ]);
    expect(exists('README.md', 'mesh/kit/gone.ts')).toBe(false);
    expect(exists('services/chat/README.md', 'config.ts')).toBe(true);
  });
});
