import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { LRUCache } from 'lru-cache';

// Counts of changes in a file that the processes of a group share: one process counts, and the others read without a call. A read of a few
// bytes of a file that is in memory takes about a microsecond.

/** Counts changes by the name of what has changed. */
export interface ChangeCounter {
  /** Counts a change. Every read that begins later, in any process, sees it. */
  count(name: string): void;
  close(): void;
}

/** Reads the counts of another process. */
export interface ChangeReader {
  /** Returns a number that is another one after each change of `name`, and sometimes after a change of something else. */
  read(name: string): number;
  close(): void;
}

/** Names share this many counts. */
const countOfCounts = 65_536;
const countBytes = 4;

/** Opens the counts at `path`, for the one process that counts. Everything has changed since the process before it. */
export function openChangeCounter(path: string): ChangeCounter {
  const counts = new Uint32Array(countOfCounts);
  if (existsSync(path)) {
    const before = readFileSync(path);
    for (const index of counts.keys()) counts[index] = before.readUInt32LE(index * countBytes) + 1;
  }
  const bytes = Buffer.alloc(counts.byteLength);
  for (const [index, value] of counts.entries()) bytes.writeUInt32LE(value, index * countBytes);
  // The same file: readers have it open.
  writeFileSync(path, bytes, { flag: existsSync(path) ? 'r+' : 'w', mode: 0o600 });
  const file = openSync(path, 'r+');
  const one = Buffer.alloc(countBytes);
  return {
    count(name) {
      const index = indexOf(name);
      // Wraps after four billion changes.
      counts[index] = (counts[index] as number) + 1;
      one.writeUInt32LE(counts[index] as number);
      writeSync(file, one, 0, countBytes, index * countBytes);
    },
    close: () => closeSync(file),
  };
}

/** Opens the counts at `path` for reading. Throws if the process that counts has not opened them yet. */
export function openChangeReader(path: string): ChangeReader {
  const file = openSync(path, 'r');
  const one = Buffer.alloc(countBytes);
  return {
    read(name) {
      readSync(file, one, 0, countBytes, indexOf(name) * countBytes);
      return one.readUInt32LE();
    },
    close: () => closeSync(file),
  };
}

/** Results that {@link untilChanged} keeps. */
const maxResults = 10_000;

/**
 * Returns `ask` with a memory: its result for a name is returned again while `countOf` that name stays the same. What is counted after a
 * change and before the change is acknowledged is never missed. An `undefined` count is not known, so nothing is returned again.
 */
export function untilChanged<T>(
  countOf: (name: string) => number | undefined,
  ask: (name: string) => Promise<T>,
): (name: string) => Promise<T> {
  const results = new LRUCache<string, { count: number; result: Promise<T> }>({ max: maxResults });
  return (name) => {
    // Before the result is asked for: a change meanwhile has another count.
    const count = countOf(name);
    const known = results.get(name);
    if (known !== undefined && known.count === count) return known.result;
    const result = ask(name);
    if (count === undefined) return result;
    const entry = { count, result };
    results.set(name, entry);
    result.catch(() => {
      if (results.peek(name) === entry) results.delete(name);
    });
    return result;
  };
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), over UTF-16 units.
function indexOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % countOfCounts;
}
