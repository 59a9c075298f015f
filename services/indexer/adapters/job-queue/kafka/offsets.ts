/** Offsets of messages in work. A committed offset says that every message before it is finished. */
export interface Offsets {
  begin(partition: number, offset: bigint): void;
  /** Ends a message; returns the offset to commit for its partition, `undefined` if an earlier message is not finished. */
  end(partition: number, offset: bigint): bigint | undefined;
}

/** Creates the offsets of one consumer. Messages of a partition begin in their order and end in any. */
export function createOffsets(): Offsets {
  const partitions = new Map<number, Map<bigint, boolean>>();
  return {
    begin(partition, offset) {
      const begun = partitions.get(partition) ?? new Map<bigint, boolean>();
      begun.set(offset, false);
      partitions.set(partition, begun);
    },
    end(partition, offset) {
      const begun = partitions.get(partition);
      if (begun?.has(offset) !== true) return undefined;
      begun.set(offset, true);
      let next: bigint | undefined;
      for (const [at, isEnded] of begun) {
        if (!isEnded) break;
        begun.delete(at);
        next = at + 1n;
      }
      return next;
    },
  };
}
