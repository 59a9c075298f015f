/** Runs work under names. Work of the same name runs one after another, in the order in which it came. */
export interface NamedLocks {
  run<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** Creates the locks. */
export function createNamedLocks(): NamedLocks {
  const tails = new Map<string, Promise<void>>();
  return {
    run(name, work) {
      const result = (tails.get(name) ?? Promise.resolve()).then(work);
      // The caller gets the error; the next work starts anyway.
      const tail = result.then(
        () => {},
        () => {},
      );
      tails.set(name, tail);
      void tail.then(() => {
        if (tails.get(name) === tail) tails.delete(name);
      });
      return result;
    },
  };
}
