import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a process with retrieval, embedding and rerank alone closes, with nothing else to keep it alive', () => {
  const program = fileURLToPath(new URL('./testing/close-process.ts', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: 'closed\n' });
}, 120_000);
