// Time in tests. A test must pass on a busy machine: it measures CPU time if it can, and stretches a limit of wall time by how
// busy the machine is at that moment. Claims about speed are in mesh/bench.

/** Returns the CPU time of this thread so far, in milliseconds. Other work on the machine does not count. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

let busy = { factor: 1, measuredAt: Number.NEGATIVE_INFINITY };

/**
 * Returns a limit of wall time for a check that something ends early rather than late: three times `ms`, and more on a busy machine,
 * by how long 20 ms of CPU take right now. Measures once a second at most.
 */
export function stretched(ms: number): number {
  const wallFrom = performance.now();
  if (wallFrom - busy.measuredAt > 1000) {
    const cpuFrom = threadCpuMs();
    while (threadCpuMs() - cpuFrom < 20);
    const measuredAt = performance.now();
    busy = { factor: Math.max(1, (measuredAt - wallFrom) / 20), measuredAt };
  }
  return ms * 3 * busy.factor;
}
