/** What is stored of a suite. Messages are their bytes. */
export interface SuiteRow {
  tenant: string;
  data_set: string;
  /** The time of the schedule that was run last, or when the suite was added; milliseconds since 1970. */
  done_until: number;
  /** Until when a process has the exclusive right to run it; 0: none has. */
  lease_until: number;
  /** The run with which others are compared, with its questions. */
  baseline: Uint8Array | null;
  /** The latest run, with its questions. */
  latest: Uint8Array | null;
  /** How the latest run compares with the baseline. */
  report: Uint8Array | null;
  /** 1 if it is significantly worse. */
  is_worse: number;
}
