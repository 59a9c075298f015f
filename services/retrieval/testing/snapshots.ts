import { createSnapshots, type SnapshotOptions, type Snapshots } from '../snapshots/snapshots.ts';

/** Creates snapshots for which a search waits, so that only they answer in a test. */
export function createSureSnapshots(maxBytes = 64 * 1024 * 1024, options: SnapshotOptions = {}): Snapshots {
  const snapshots = createSnapshots(maxBytes, options);
  return {
    ...snapshots,
    search(wanted, query, signal) {
      if (wanted.length === 0) return undefined;
      const waitFor = async () => {
        for (let attempt = 0; attempt < 100; attempt++) {
          const found = snapshots.search(wanted, query, signal);
          if (found !== undefined) return found;
          await snapshots.idle();
        }
        throw new Error('the version was not loaded');
      };
      return waitFor();
    },
  };
}
