/**
 * Puts candidates in order by asking for the order of a few at a time: windows from the end to the start, each beginning `step` before the
 * last one, so that the best rise to the top in one pass (Sun et al. 2023, "Is ChatGPT Good at Search?", section 3.2). `rank` gives the
 * places of a window's candidates, best first; it must be a permutation of 0 to the window's length.
 */
export async function rankByWindows<T>(
  candidates: readonly T[],
  { size, step }: { size: number; step: number },
  rank: (window: readonly T[]) => Promise<readonly number[]>,
): Promise<T[]> {
  const ranked = [...candidates];
  for (const start of windowStarts(ranked.length, size, step)) {
    const window = ranked.slice(start, start + size);
    if (window.length < 2) continue;
    const order = await rank(window);
    if (!isPermutation(order, window.length)) throw new RangeError('the order of a window is no permutation');
    for (const [place, from] of order.entries()) ranked[start + place] = window[from] as T;
  }
  return ranked;
}

/** Returns the starts of windows, the last one first; the first window begins at 0. */
export function windowStarts(count: number, size: number, step: number): number[] {
  const starts: number[] = [];
  for (let start = count - size; start > 0; start -= step) starts.push(start);
  return [...starts, 0];
}

/** Whether `order` holds each of 0 to `count` - 1 exactly once, and nothing else. */
export function isPermutation(order: readonly unknown[], count: number): order is readonly number[] {
  if (order.length !== count) return false;
  const seen = new Set<number>();
  for (const place of order) {
    if (typeof place !== 'number' || !Number.isInteger(place) || place < 0 || place >= count) return false;
    seen.add(place);
  }
  return seen.size === count;
}
