import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { measureParts, type PartMeasures } from './inside.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-public-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let calls: [name: string, args: string[]][] = [];
let printed = '';
beforeEach(() => {
  calls = [];
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});

/** Parts that record their arguments and return these codes. */
function partsOf(codes: Partial<Record<keyof PartMeasures, number>>): PartMeasures {
  const part = (name: keyof PartMeasures) => async (args: string[]) => {
    calls.push([name, args]);
    return codes[name] ?? 0;
  };
  return { router: part('router'), rewrite: part('rewrite'), verifier: part('verifier') };
}

test('without public sets the router is measured, and what is not measured is named', async () => {
  expect(await measureParts(partsOf({}), undefined)).toBe(0);
  expect(calls).toEqual([['router', []]]);
  expect(printed).toContain('--public');
});

test('each part measures the sets that the folder has, and a loss in one of them is the result', async () => {
  mkdirSync(join(folder, 'chat'));
  mkdirSync(join(folder, 'support'));
  writeFileSync(join(folder, 'chat/canard-dev.json'), '[]');
  expect(await measureParts(partsOf({ rewrite: 3 }), folder)).toBe(3);
  expect(calls.map(([name]) => name)).toEqual(['router', 'rewrite', 'verifier']);
  expect(calls[1]?.[1]).toEqual(['--canard', join(folder, 'chat/canard-dev.json')]);
  expect(calls[2]?.[1].at(0)).toBe(join(folder, 'support'));
  expect(calls[2]?.[1].at(-1)).toMatch(/verifier-baseline\.json$/);
});
