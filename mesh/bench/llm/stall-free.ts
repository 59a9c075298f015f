import type { CompletionClient } from './llm-clients.ts';

const deltaCount = 64;
const intervalMs = 20;
const longestGapMs = 40;
const streamMs = deltaCount * intervalMs;
/** The search ends when the bound is known to one part in this many. */
const resolution = 8;

const maxTries = 3;

/** What a search found. */
export interface StallFree {
  /** Largest number of concurrent streams that all arrived without a stall. */
  streams: number;
  /** Whether it carried all that were tried. */
  atLeast: boolean;
}

/**
 * Finds how many concurrent paced streams a server carries, none with more than 40 ms between two deltas: by doubling, then by
 * bisection. A number counts as carried if one of three attempts was without a stall: the machine itself stalls now and then.
 */
export async function findStallFree(
  connect: () => Promise<CompletionClient>,
  { from, most, tell }: { from: number; most: number; tell: (streams: number) => void },
): Promise<StallFree> {
  const carries = async (streams: number) => {
    tell(streams);
    for (let attempt = 0; attempt < maxTries; attempt++) if (await isCarried(connect, streams)) return true;
    return false;
  };
  let good = 0;
  let bad = Math.ceil(from);
  while (bad <= most && (await carries(bad))) {
    good = bad;
    bad *= 2;
  }
  if (bad > most) return { streams: good, atLeast: true };
  while (bad - good > Math.max(1, bad / resolution)) {
    const middle = Math.round((good + bad) / 2);
    if (await carries(middle)) good = middle;
    else bad = middle;
  }
  return { streams: good, atLeast: false };
}

// Each place starts at a time of its own within the length of a stream, and carries two streams after another: for the length of
// one, all of them run.
async function isCarried(connect: () => Promise<CompletionClient>, streams: number): Promise<boolean> {
  const client = await connect();
  let failed = false;
  const fail = () => {
    if (failed) return;
    failed = true;
    client.close();
  };
  const place = async (index: number) => {
    await new Promise((resolve) => setTimeout(resolve, (index * streamMs) / streams));
    for (let turn = 0; turn < 2 && !failed; turn++) {
      let received = 0;
      let lastAt = 0;
      await client.call((count) => {
        const now = performance.now();
        if (received > 0 && now - lastAt > longestGapMs) fail();
        lastAt = now;
        received += count;
      });
      if (received !== deltaCount) fail();
    }
  };
  // Far longer than two streams take; a server that has stopped must not stop the benchmark.
  const timer = setTimeout(fail, streamMs * 6);
  await Promise.all(Array.from({ length: streams }, (_, index) => place(index).catch(fail)));
  clearTimeout(timer);
  client.close();
  // Streams that the server is still closing are not load of the next attempt.
  await new Promise((resolve) => setTimeout(resolve, 250));
  return !failed;
}
