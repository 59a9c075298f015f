/** A value of each day under one name. */
export interface DaySeries {
  name: string;
  /** In the order of the days. */
  values: readonly number[];
}

const colourCount = 7;

/** Returns the class that gives a series its colour; the eighth has that of the first. */
export function seriesClass(index: number): string {
  return `series-${index % colourCount}`;
}
