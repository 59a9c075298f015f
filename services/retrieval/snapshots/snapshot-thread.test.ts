import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('a thread that closes while a reply is on its way keeps the process until it has ended', () => {
  const program = `
    import { createSnapshotThread } from ${JSON.stringify(new URL('./snapshot-thread.ts', import.meta.url))};
    for (let round = 0; round < 10; round++) {
      const thread = createSnapshotThread(() => {});
      const drop = () => thread.call({ kind: 'drop', snapshotId: 1 });
      await drop();
      for (let count = 0; count < 50; count++) drop().catch(() => {});
      await thread.close();
    }
    process.stdout.write('closed');
  `;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'closed' });
}, 60_000);
