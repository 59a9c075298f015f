import { readFileSync } from 'node:fs';

/** Memory of a process, in bytes. */
export interface ProcessMemory {
  residentBytes: number;
  /** The most that was resident since `/proc/self/clear_refs` was written. */
  peakBytes: number;
  /** Without pages of files, which the system takes back when it needs memory: SQLite maps its files. */
  ownBytes: number;
}

/** Returns the memory of this process (proc(5)), on Linux. */
export function processMemory(): ProcessMemory {
  const text = readFileSync('/proc/self/status', 'utf8');
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]) * 1024;
  return { residentBytes: of('VmRSS'), peakBytes: of('VmHWM'), ownBytes: of('RssAnon') };
}
