const waiting: (() => void)[] = [];

/**
 * Waits for a turn of the event loop that nobody else works in. For before a piece of work of half a millisecond or more: what comes
 * together (replies of threads, messages of a socket) would else be worked off in one turn, and all else would wait for all of it.
 */
export function ownTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
}

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}
