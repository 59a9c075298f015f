/** A bounded queue with one line for each tenant. */
export interface FairQueue<T> {
  readonly size: number;
  /**
   * Adds a value to the end of its tenant's line. If the queue is full, it evicts the last value of the longest line, or the value itself
   * if its own line is (or would be) as long: no tenant fills the queue for the others. Returns the evicted value.
   */
  add(tenant: string, value: T): T | undefined;
  /** Removes a value, if it is in the queue. */
  remove(tenant: string, value: T): void;
  /** Returns the line of a tenant, in order. */
  line(tenant: string): readonly T[];
  /** Returns the tenants that have a line, beginning with the one whose turn it is. The next call begins with another tenant. */
  turns(): string[];
}

/** Creates a queue of at most `capacity()` values in total. */
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
        // The tenant moves to the end of the Map.
        const line = lines.get(first) as T[];
        lines.delete(first);
        lines.set(first, line);
      }
      return tenants;
    },
  };
}
