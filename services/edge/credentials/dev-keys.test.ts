import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { devKeysFile, readOrMakeDevKeys } from './dev-keys.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('keys are made once, long and different, for their owner alone', () => {
  const keys = readOrMakeDevKeys(join(folder, 'edge'));
  const path = join(folder, 'edge', devKeysFile);
  for (const key of [keys.dev, keys.customer]) expect(key).toMatch(/^rm_dev_[\w-]{43}$/);
  expect(keys.dev).not.toBe(keys.customer);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(keys);
  expect(readOrMakeDevKeys(join(folder, 'edge'))).toEqual(keys);
  expect(readdirSync(join(folder, 'edge'))).toEqual([devKeysFile]);
});

test('a file that others could read is closed to them', () => {
  readOrMakeDevKeys(folder);
  chmodSync(join(folder, devKeysFile), 0o644);
  readOrMakeDevKeys(folder);
  expect(statSync(join(folder, devKeysFile)).mode & 0o777).toBe(0o600);
});

test('a file that holds something else is not overwritten', () => {
  for (const text of ['', 'null', '{"dev": 1}', '{"dev":']) {
    writeFileSync(join(folder, devKeysFile), text);
    expect(() => readOrMakeDevKeys(folder)).toThrow(/delete it/);
    expect(readFileSync(join(folder, devKeysFile), 'utf8')).toBe(text);
  }
});
