import type { Question } from '../question.ts';

/** What two questions share and do not share. */
export interface Difference {
  /** Content that both have, counted. */
  shared: string[];
  /** Content of the one that the other lacks, neighbours together. */
  onlyFirst: string[][];
  onlySecond: string[][];
}

/** Returns the difference of the content of two questions as bags; facts are compared elsewhere. */
export function differenceOf(first: Question, second: Question): Difference {
  const a = first.content.filter(isWord);
  const b = second.content.filter(isWord);
  const inSecond = countsOf(b);
  const shared = a.filter((atom) => take(inSecond, atom));
  return { shared, onlyFirst: runsOf(a, countsOf(shared)), onlySecond: runsOf(b, countsOf(shared)) };
}

const isWord = (atom: string) => !atom.startsWith('#');

/** Returns the runs of `atoms` that are not in `both`, which is consumed. The last occurrences count as shared: an addition mostly precedes its subject. */
function runsOf(atoms: readonly string[], both: Map<string, number>): string[][] {
  const isMissing = atoms.map(() => false);
  for (let index = atoms.length - 1; index >= 0; index--) isMissing[index] = !take(both, atoms[index] as string);
  const runs: string[][] = [];
  for (const [index, atom] of atoms.entries()) {
    if (!isMissing[index]) continue;
    if (isMissing[index - 1]) runs.at(-1)?.push(atom);
    else runs.push([atom]);
  }
  return runs;
}

function countsOf(atoms: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const atom of atoms) counts.set(atom, (counts.get(atom) ?? 0) + 1);
  return counts;
}

function take(counts: Map<string, number>, atom: string): boolean {
  const count = counts.get(atom) ?? 0;
  if (count === 0) return false;
  counts.set(atom, count - 1);
  return true;
}
