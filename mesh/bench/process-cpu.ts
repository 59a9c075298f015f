import { readFileSync } from 'node:fs';

/** The kernel reports the time of processes in hundredths of a second (`USER_HZ`). */
const tickMs = 10;

/** Returns the CPU time that a process has used so far, all its threads together, in milliseconds; `undefined` if the system does not report it (proc(5)). */
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
