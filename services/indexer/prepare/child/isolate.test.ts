import { expect, test } from 'vitest';
import { createHostile, failureOf, identify, runOrder, textsOf } from '../../testing/hostile.ts';

test('a file is read in a process without the environment, which reads the next one, also after a failure', async () => {
  const parser = createHostile();
  expect(textsOf(await runOrder(parser, 'read', 'one', '二'))).toEqual(['one', '二']);
  const { pid, environment } = await identify(parser);
  expect(pid).not.toBe(process.pid);
  // The two are of Node itself: its channel, and its cache of compiled code.
  expect(environment.filter((name) => !name.startsWith('NODE_'))).toEqual([]);
  expect(await failureOf(runOrder(parser, 'refuse'))).toMatchObject({ message: 'is refused: do something', line: 7 });
  expect(await failureOf(runOrder(parser, 'throw'))).toMatchObject({ message: expect.not.stringContaining('words') });
  expect((await identify(parser)).pid).toBe(pid);
});

test('a file that ends the process fails, and the next file gets a new process', async () => {
  const parser = createHostile();
  const { pid } = await identify(parser);
  expect(await failureOf(runOrder(parser, 'abort'))).toMatchObject({ name: 'UnreadableError' });
  expect((await identify(parser)).pid).not.toBe(pid);
});
