import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './source-tree.ts';

// The map in ARCHITECTURE.md has one line for each room, and no line for a room that is gone.

/** Folders that every service may have, described once; folders of one adapter; data. */
const described =
  /(^|\/)(testing|suites|__snapshots__|dist|node_modules)(\/|$)|\/adapters(\/|$)|\/styles$|\/(stacks|runs)$/;

function roomsUnder(top: string): string[] {
  return readdirSync(join(root, top), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => path.split('/').length > 2 || top === 'mesh')
    .filter((path) => !described.test(path));
}

test('the map has every room once, and only rooms that exist', () => {
  const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const map = page.slice(page.indexOf('\n## Map'), page.indexOf('\n## Three mounts'));
  const listed = [...map.matchAll(/^\| `((?:services|mesh)\/[^`<]+?)\/` \| .+ \|$/gm)].map((row) => row[1] ?? '');
  const rooms = [...roomsUnder('services'), ...roomsUnder('mesh')];
  const missing = rooms.filter((room) => !listed.includes(room));
  expect(missing, 'give each new room one line in ARCHITECTURE.md, "Map"').toEqual([]);
  const gone = listed.filter((room) => !rooms.includes(room));
  expect(gone, 'remove the lines of rooms that are gone').toEqual([]);
  expect(listed.length, 'a room is listed twice').toBe(new Set(listed).size);
});
