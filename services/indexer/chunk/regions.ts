import type { Block, PageRegion } from '../parse/blocks.ts';

/** Most regions of a chunk. */
const regionsMax = 64;

/**
 * Returns a function that returns the regions of a range of the text, as a property if there are any. Regions of one column are joined, so that
 * a chunk within one column has one rectangle on each page. Ranges must come in the order of their starts.
 */
export function createRegionFinder(
  blocks: readonly Block[],
): (start: number, end: number) => { regions?: PageRegion[] } {
  if (!blocks.some(({ regions }) => regions !== undefined)) return () => ({});
  let first = 0;
  return (start, end) => {
    while ((blocks[first]?.end ?? Number.POSITIVE_INFINITY) <= start) first++;
    const regions: PageRegion[] = [];
    for (let index = first; index < blocks.length; index++) {
      const block = blocks[index] as Block;
      if (block.start >= end) break;
      for (const region of block.regions ?? []) addRegion(regions, region);
    }
    return regions.length === 0 ? {} : { regions };
  };
}

function addRegion(regions: PageRegion[], region: PageRegion): void {
  const last = regions.at(-1);
  const isFull = regions.length >= regionsMax;
  if (last !== undefined && last.page === region.page && (isFull || shareColumn(last, region))) {
    regions[regions.length - 1] = hull(last, region);
  } else if (!isFull) regions.push({ ...region });
}

function shareColumn(one: PageRegion, other: PageRegion): boolean {
  const overlap = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  return overlap >= 0.5 * Math.min(one.right - one.left, other.right - other.left);
}

function hull(one: PageRegion, other: PageRegion): PageRegion {
  return {
    page: one.page,
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}
