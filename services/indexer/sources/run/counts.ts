/** An entry that could not be read, and why. */
export interface EntryFailure {
  entryId: string;
  message: string;
}

/** Failures of a run that are kept; the others are only counted. */
export const failuresKept = 20;

/** Counts of a run. The names are those of the contract's SourceRun. */
export interface RunCounts {
  listedCount: number;
  changedCount: number;
  removedCount: number;
  heldCount: number;
  failedCount: number;
  accessCount: number;
  failures: EntryFailure[];
  isListingComplete: boolean;
}

/** Returns the counts of a run that has done nothing yet. */
export const noCounts = (): RunCounts => ({
  listedCount: 0,
  changedCount: 0,
  removedCount: 0,
  heldCount: 0,
  failedCount: 0,
  accessCount: 0,
  failures: [],
  isListingComplete: false,
});
