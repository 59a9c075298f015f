import { expect, test } from 'vitest';
import { claimMachine } from './claim.ts';

test.skipIf(process.platform !== 'linux')(
  'a second lab waits, says so, and runs after the first has ended',
  async () => {
    const name = `\0ragmesh-claim-test-${process.pid}`;
    const said: string[] = [];
    const first = await claimMachine((line) => said.push(line), name);
    let isSecond = false;
    const second = claimMachine((line) => said.push(line), name).then((claim) => {
      isSecond = true;
      return claim;
    });
    await expect.poll(() => said).toEqual(['waiting for another lab on this machine …']);
    expect(isSecond).toBe(false);
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
    expect(isSecond).toBe(true);
  },
);
