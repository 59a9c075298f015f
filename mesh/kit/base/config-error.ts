/** A bad value in the configuration: its path, what is wrong, and what is allowed. Stops the start. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly path: string;
  constructor(path: string, problem: string, allowed?: readonly string[]) {
    super(`${path}: ${problem}${allowed === undefined ? '' : `; allowed: ${allowed.join(', ')}`}`);
    this.path = path;
  }
}

/** Throws all problems as one ConfigError, each on a line of its own; does nothing if there are none. */
export function throwProblems(problems: readonly ConfigError[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const lines = problems.map(({ message }) => `\n  ${message}`);
  throw new ConfigError('configuration', `${problems.length} errors:${lines.join('')}`);
}

/** Returns the ConfigErrors that `work` throws; any other error is thrown. */
export function problemsOf(work: () => unknown): ConfigError[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [error];
    throw error;
  }
}

/** Returns what is wrong with a name that is not one of `names`, with the nearest of them if one is near. */
export function unknownName(kind: string, name: string, names: readonly string[]): string {
  const longest = Math.max(1, Math.floor(name.length / 3));
  const near = names
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .filter(({ distance }) => distance <= longest)
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? `unknown ${kind}` : `unknown ${kind}: did you mean "${near.known}"?`;
}

/** Returns the number of letters to insert, delete, replace or swap with their neighbour (optimal string alignment distance). */
function editDistance(a: string, b: string): number {
  const [left, right] = [a.slice(0, 64), b.slice(0, 64)];
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const next = [row];
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1];
      const isSwap = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      const swapped = isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      const inserted = Math.min(last[column] ?? 0, next[column - 1] ?? 0) + 1;
      next.push(Math.min((last[column - 1] ?? 0) + (isSame ? 0 : 1), inserted, swapped));
    }
    beforeLast = last;
    last = next;
  }
  return last[right.length] ?? 0;
}
