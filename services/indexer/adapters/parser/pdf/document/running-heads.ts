import type { Element, Line } from '../layout/elements.ts';

// Heads and feet that repeat over pages are no content. A line that occurs once is content, also at the edge of a page.

/** A page with what it is made of. */
export interface LaidOutPage {
  number: number;
  height: number;
  elements: readonly Element[];
}

/** Share of the height, at each end, in which heads and feet are. */
const zoneShare = 0.14;
/** Distance in points between the places of one head on two pages. */
const near = 6;
/** Most lines at each end of a page that can be heads or feet. */
const linesMax = 4;

/** A line near an edge of a page. */
interface Edge {
  line: Line;
  isTop: boolean;
  /** Distance of its middle from that edge. */
  distance: number;
  /** Its words with each number as `#`. */
  pattern: string;
  numbers: readonly number[];
}

/** Returns the pages without running heads and feet. */
export function removeRunningHeads(pages: readonly LaidOutPage[]): LaidOutPage[] {
  const edges = pages.flatMap((page) => [...edgesOf(page, true), ...edgesOf(page, false)]);
  const groups = Map.groupBy(edges, ({ pattern, isTop }) => `${isTop} ${pattern}`);
  const running = new Set<Line>();
  for (const group of groups.values()) {
    for (const one of group) {
      const alike = group.filter((other) => Math.abs(other.distance - one.distance) <= near && isSame(one, other));
      const pageCount = new Set(alike.map(({ line }) => line.page)).size;
      if (pageCount >= 3 || (pageCount === 2 && pages.length <= 4)) running.add(one.line);
    }
  }
  // Pages that are all alike are a document of one page, not heads.
  const isAll = pages.every(({ elements }) => elements.every((element) => isRunning(element, running)));
  if (isAll) return [...pages];
  return pages.map((page) => ({ ...page, elements: page.elements.filter((element) => !isRunning(element, running)) }));
}

function isRunning(element: Element, running: ReadonlySet<Element>): boolean {
  return running.has(element);
}

/** Returns the lines nearest to an edge of the page, from the edge inward. */
function edgesOf({ elements, height }: LaidOutPage, isTop: boolean): Edge[] {
  const distanceOf = ({ top, bottom }: Element) => (isTop ? (top + bottom) / 2 : height - (top + bottom) / 2);
  const sorted = elements.filter((element) => distanceOf(element) <= height * zoneShare);
  sorted.sort((one, other) => distanceOf(one) - distanceOf(other));
  return sorted.slice(0, linesMax).flatMap((line) => {
    if (line.kind !== 'line') return [];
    const numbers = (line.text.match(/\d+/g) ?? []).map(Number);
    const pattern = line.text.replace(/\d+/g, '#').replace(/\s+/g, '');
    return [{ line, isTop, distance: distanceOf(line), pattern, numbers }];
  });
}

/** Reports whether two lines are the same, or differ only in numbers that count pages. */
function isSame(one: Edge, other: Edge): boolean {
  const pages = other.line.page - one.line.page;
  return one.numbers.every((number, index) => {
    const difference = (other.numbers[index] ?? Number.NaN) - number;
    return difference === 0 || difference === pages;
  });
}
