import { setTimeout as sleep } from 'node:timers/promises';

// Large bodies of many callers would fill the event loop between them, and small requests would wait for all of them. So pieces of large
// bodies have turns: one at a time, tenants in rotation, and after each a rest in proportion to the time that it took.

/** Bytes of a body that need no turn: as much as most requests have. */
export const freeBytes = 64 << 10;
/** Part of the time of the event loop that pieces of large bodies may take together. */
const share = 0.1;
/** Longest rest after a piece, in milliseconds: what took long may have waited for the processor. */
const maxRestMs = 50;

type Turn = () => void;

const lanes = new Map<string, Turn[]>();
let isTaken = false;

/** Waits until a piece of a large body may be read and worked on. `lane`: whose body it is; lanes come in rotation. */
export function bodyTurn(lane: string): Promise<void> {
  return new Promise((resolve) => {
    const turns = lanes.get(lane);
    if (turns === undefined) lanes.set(lane, [resolve]);
    else turns.push(resolve);
    if (!isTaken) void giveTurns();
  });
}

async function giveTurns(): Promise<void> {
  isTaken = true;
  for (;;) {
    const [first] = lanes;
    if (first === undefined) break;
    const [lane, turns] = first;
    const turn = turns.shift() as Turn;
    lanes.delete(lane);
    if (turns.length > 0) lanes.set(lane, turns);
    const startedAt = performance.now();
    turn();
    // What is done with a piece begins in microtasks and ends within two rounds of the event loop.
    await nextRound();
    await nextRound();
    const tookMs = performance.now() - startedAt;
    await sleep(Math.min(maxRestMs, tookMs * (1 / share - 1)));
  }
  isTaken = false;
}

function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
