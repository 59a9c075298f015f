const waiting: (() => void)[] = [];

/**
 * Waits for a turn of the event loop in which no other waiter works. Call it before a piece of work of half a millisecond or more: work
 * that arrives together (replies of threads, messages of a socket) would otherwise run in one turn and delay everything else.
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
