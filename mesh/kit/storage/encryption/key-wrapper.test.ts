import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeyWrapper } from './key-wrapper.ts';
import { keyFileName, unlockFolder } from './unlock.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-wrapper-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that wraps by turning the bits, as a key service would under its own key. */
const program = (body: string): string => {
  const path = join(folder, `program-${randomBytes(4).toString('hex')}`);
  writeFileSync(path, `#!${process.execPath}\n${body}`);
  chmodSync(path, 0o700);
  return path;
};
const turning = `
const { readFileSync } = require('node:fs');
const [key, step] = process.argv.slice(2);
if (key !== 'alias' || !['wrap', 'unwrap'].includes(step)) process.exit(3);
const bytes = Buffer.from(readFileSync(0, 'utf8'), 'base64');
process.stdout.write(Buffer.from(bytes.map((byte) => byte ^ 255)).toString('base64') + '\\n');`;
const key = randomBytes(32);

test('the first key wraps, each unwraps what it has wrapped, and no other does', async () => {
  const [one, two] = [
    { id: 'one', bytes: randomBytes(32) },
    { id: 'two', bytes: randomBytes(32) },
  ];
  const wrapped = await createKeyWrapper([one], []).wrap(key);
  const both = createKeyWrapper([two, one], []);
  expect(both.keyId).toBe('two');
  expect(Buffer.from(await both.unwrap('one', wrapped)).equals(key)).toBe(true);
  await expect(both.unwrap('two', wrapped)).rejects.toThrow('is another one');
  await expect(createKeyWrapper([two], []).unwrap('one', wrapped)).rejects.toThrow('the key "one" has wrapped');
});

test('a program wraps and unwraps, and a folder moves from a key to it', async () => {
  const old = { id: 'old', bytes: randomBytes(32) };
  const data = join(folder, 'data');
  await unlockFolder(data, createKeyWrapper([old], []), true);
  const command = [program(turning), 'alias'];
  await unlockFolder(data, createKeyWrapper([old], command), true);
  await unlockFolder(data, createKeyWrapper([], command), true);
  await expect(unlockFolder(data, createKeyWrapper([old], []), true)).rejects.toThrow('configure "command"');
  await expect(unlockFolder(data, undefined, true)).rejects.toThrow(`${join(data, keyFileName)} names`);
});

test('a program that fails, writes something else or is missing is named, without what it wrote', async () => {
  const cases = {
    failed: [program(`process.stdout.write('secret-output'); process.exit(1)`)],
    'did not write base64': [program(`process.stdout.write('{"secret-output"}')`)],
    ENOENT: [join(folder, 'absent')],
  };
  for (const [reason, command] of Object.entries(cases)) {
    const error = await createKeyWrapper([], command)
      .wrap(key)
      .catch((caught: unknown) => caught);
    expect(String(error)).toContain(reason);
    expect(String(error)).not.toContain('secret-output');
  }
});

test('a program that unwraps to another key does not open the folder', async () => {
  const data = join(folder, 'other');
  await unlockFolder(data, createKeyWrapper([], [program(turning), 'alias']), true);
  const wrong = program(`process.stdout.write(Buffer.alloc(32).toString('base64'))`);
  await expect(unlockFolder(data, createKeyWrapper([], [wrong]), true)).rejects.toThrow('is another key than that');
});
