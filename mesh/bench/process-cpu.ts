import { readFileSync } from 'node:fs';

/** The kernel tells the time of processes in hundredths of a second (`USER_HZ`). */
const tickMs = 10;

/** CPU that a process has taken so far, in milliseconds, all its threads together; `undefined` where the system does not say (proc(5)). */
export function cpuMsOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in parentheses, may hold anything; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return undefined;
  }
}
