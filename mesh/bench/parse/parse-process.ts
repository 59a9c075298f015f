import { readFileSync } from 'node:fs';
import { type engines, loadEngine } from './engines.ts';
import type { TableCell } from './relations.ts';

// One engine in a process of its own: reads files, and reports what it found, its CPU and the most memory that it held.

/** What is read of each file. */
export interface ParseOrder {
  engine: keyof typeof engines;
  /** Paths of files whose words are read. */
  texts: string[];
  /** Paths of files whose tables are read. */
  tables: string[];
}

/** What was found; `undefined` for a file that the engine refused. */
export interface ParseReport {
  texts: (string[] | undefined)[];
  tables: (TableCell[][] | undefined)[];
  pageCount: number;
  cpuMs: number;
  peakMb: number;
}

process.once('message', async ({ engine: name, texts, tables }: ParseOrder) => {
  const engine = await loadEngine(name);
  // The first file loads and compiles what all need.
  const [first] = texts;
  if (first !== undefined) await engine.texts(readFileSync(first)).catch(() => {});
  const before = process.cpuUsage();
  const foundTexts: ParseReport['texts'] = [];
  for (const path of texts) foundTexts.push(await engine.texts(readFileSync(path)).catch(() => undefined));
  const { user, system } = process.cpuUsage(before);
  const foundTables: ParseReport['tables'] = [];
  for (const path of tables) foundTables.push(await engine.tables?.(readFileSync(path)).catch(() => undefined));
  const report: ParseReport = {
    texts: foundTexts,
    tables: foundTables,
    pageCount: foundTexts.reduce((sum, pages) => sum + (pages?.length ?? 0), 0),
    cpuMs: (user + system) / 1000,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
  process.send?.(report, () => process.exit());
});
