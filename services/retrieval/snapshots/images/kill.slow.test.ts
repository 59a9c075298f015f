import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteThreads } from '../../sqlite/threads.ts';
import { changeOfStep, openWorld, type WorldRow } from '../../testing/image-world.ts';
import { bm25Scores, createRowModel, type ModelRow, type RowModel } from '../../testing/row-model.ts';

const child = fileURLToPath(new URL('../../testing/image-child.ts', import.meta.url));
/** Steps of each process before it is killed, while the next one is in flight and images are being written. */
const stepsOfProcess = [3, 9, 20, 1, 14, 6];

test('after kill -9 at any time a start from images finds what was acknowledged, and nothing that was deleted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-killed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const threads = createSqliteThreads(1);
  onTestFinished(() => threads.close());
  const outcomes: string[] = [];
  let lastId = 0;
  let acknowledged = 0;
  const model = createRowModel<WorldRow>();
  for (const [index, steps] of stepsOfProcess.entries()) {
    const last = await runUntilKilled(folder, acknowledged + 1, index, steps);
    for (let step = acknowledged + 1; step <= last; step++) {
      model.apply(changeOfStep(step, step === acknowledged + 1 ? index : 0));
    }
    acknowledged = last;
    const world = await openWorld(
      folder,
      threads,
      () => `t${++lastId}`,
      (outcome) => outcomes.push(outcome),
    );
    // The step that was in flight may be in the stores; made again, it has its whole effect and no other.
    const next = changeOfStep(++acknowledged, stepsOfProcess.length);
    await world.find(1);
    await world.apply(next);
    model.apply(next);
    expect(await world.find(100)).toEqual(expectedOf(model, world.asked));
    await world.idle();
    await world.close();
  }
  expect(outcomes).toContain('used');
});

/** Returns the last step that a process has acknowledged before it was killed. */
async function runUntilKilled(folder: string, first: number, processNumber: number, steps: number): Promise<number> {
  const args = [child, folder, String(first), String(processNumber)];
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => running.once('exit', resolve));
  let last = first - 1;
  for await (const line of createInterface({ input: running.stdout })) {
    last = Number(line);
    if (last >= first + steps - 1) running.kill('SIGKILL');
  }
  await exited;
  return last;
}

function expectedOf(model: RowModel<WorldRow>, asked: Parameters<typeof bm25Scores>[1]) {
  const visible = model.visible(1, [1], undefined);
  const scores = bm25Scores(model.at(1), asked);
  const best = (scoreOf: (row: ModelRow<WorldRow>) => number | undefined) =>
    visible
      .flatMap((row) => {
        const score = scoreOf(row);
        return score === undefined ? [] : [{ key: row.key, score }];
      })
      .sort((a, b) => b.score - a.score || a.key - b.key)
      .map(({ key }) => key);
  return { near: best(({ vector }) => vector[0]), words: best((row) => scores.get(row)) };
}
