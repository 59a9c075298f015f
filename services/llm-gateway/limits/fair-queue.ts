/** A bounded queue of several lines, a line a tenant, that take turns. */
export interface FairQueue<T> {
  readonly size: number;
  /**
   * Puts a value at the end of its tenant's line. Where the queue is full, the last one of the longest line has to go for it, or the
   * value itself where its own line is (or would be) as long: nobody fills the queue for the others. Gives the one that had to go.
   */
  add(tenant: string, value: T): T | undefined;
  /** Takes a value out; does nothing where it is not there. */
  remove(tenant: string, value: T): void;
  /** The line of a tenant, the first one first. */
  line(tenant: string): readonly T[];
  /** Tenants that have a line, beginning with the one whose turn it is; the turn then goes to the next one. */
  turns(): string[];
}

/** Creates a queue for at most `capacity()` values in all. */
export function createFairQueue<T>(capacity: () => number): FairQueue<T> {
  const lines = new Map<string, T[]>();
  let size = 0;
  const remove = (tenant: string, value: T) => {
    const line = lines.get(tenant) ?? [];
    const index = line.indexOf(value);
    if (index < 0) return;
    line.splice(index, 1);
    size -= 1;
    if (line.length === 0) lines.delete(tenant);
  };
  const longest = () => {
    let found: [string, T[]] | undefined;
    for (const line of lines) if (found === undefined || line[1].length > found[1].length) found = line;
    return found;
  };
  return {
    get size() {
      return size;
    },
    add(tenant, value) {
      const line = lines.get(tenant) ?? [];
      let gone: T | undefined;
      if (size >= capacity()) {
        const [other, values] = longest() ?? ['', []];
        if (values.length <= line.length + 1) return value;
        gone = values.at(-1) as T;
        remove(other, gone);
      }
      line.push(value);
      lines.set(tenant, line);
      size += 1;
      return gone;
    },
    remove,
    line: (tenant) => lines.get(tenant) ?? [],
    turns() {
      const tenants = [...lines.keys()];
      const first = tenants[0];
      if (first !== undefined) {
        // The last one in a Map is the one that was put in last.
        const line = lines.get(first) as T[];
        lines.delete(first);
        lines.set(first, line);
      }
      return tenants;
    },
  };
}
