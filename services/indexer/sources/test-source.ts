import { problemOf } from './problem.ts';
import type { Source } from './source.ts';

/** What a test of a place found. */
export interface TestResult {
  /** Empty if the place can be read. */
  problem: string;
  entryIds: string[];
  sizeBytes: bigint;
  mediaType: string;
}

const idsMax = 20;
/** Entries that are tried until one can be read. */
const readsMax = 3;

/** Opens a place, lists its first entries and reads one. Rejects only if the signal aborts. */
export async function testSource(
  open: () => Promise<Source>,
  adapter: string,
  clock: () => number,
  signal: AbortSignal,
): Promise<TestResult> {
  const result: TestResult = { problem: '', entryIds: [], sizeBytes: 0n, mediaType: '' };
  try {
    const source = await open();
    try {
      for await (const { entries } of source.changes('', signal)) {
        for (const { id } of entries.slice(0, readsMax)) {
          if (result.sizeBytes > 0n) break;
          const found = await source.fetch(id, '', signal);
          if (found.kind !== 'content') continue;
          result.sizeBytes = BigInt(found.content.bytes.byteLength);
          result.mediaType = found.content.mediaType;
        }
        result.entryIds.push(...entries.map(({ id }) => id));
        if (result.entryIds.length > 0) break;
      }
    } finally {
      await source.close();
    }
    result.entryIds.splice(idsMax);
    if (result.entryIds.length === 0) result.problem = 'the place is reachable and has no entries';
  } catch (error) {
    signal.throwIfAborted();
    result.problem = problemOf(error, adapter, clock()).message;
  }
  return result;
}
