type Turn = () => void;

// Each in the order of arrival.
const begun: Turn[] = [];
const waiting: Turn[] = [];
const patient = new Set<Turn>();
let isDue = false;

/**
 * Waits for a turn of the event loop in which no other waiter works. Call it before a piece of work of half a millisecond or more: work
 * that arrives together (replies of threads, messages of a socket) would otherwise run in one turn and delay everything else. `place`:
 * `next` for a further step of work that has had its turn, so that what was begun ends before more begins.
 */
export function ownTurn(place: 'last' | 'next' = 'last'): Promise<void> {
  return new Promise((resolve) => {
    (place === 'last' ? waiting : begun).push(resolve);
    schedule();
  });
}

/**
 * Waits for a turn in which no one waits for {@link ownTurn}, for at most `maxMs` and until `signal` aborts. Call it before work for
 * which others should not wait: what remains to be done when a reader has its text.
 */
export function spareTurn(maxMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const take = () => {
      patient.delete(take);
      clearTimeout(timer);
      signal.removeEventListener('abort', take);
      resolve();
    };
    const timer = setTimeout(take, maxMs);
    signal.addEventListener('abort', take, { once: true });
    patient.add(take);
    schedule();
  });
}

function schedule(): void {
  if (isDue) return;
  isDue = true;
  setImmediate(next);
}

function next(): void {
  isDue = false;
  const [first] = patient;
  (begun.shift() ?? waiting.shift() ?? first)?.();
  if (begun.length > 0 || waiting.length > 0 || patient.size > 0) schedule();
}
