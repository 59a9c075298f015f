import { fork } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../measure.ts';
import { engines } from './engines.ts';
import type { ParseOrder, ParseReport } from './parse-process.ts';
import { compareRelations, normal, type RelationCounts, readTruth, relationsOf } from './relations.ts';

// The PDF parser beside two others, over a folder with `expected.json` (for each file, strings with their pages) and `icdar2013/` (PDFs with the
// cells of their tables). Each engine runs in a process of its own.

type EngineName = keyof typeof engines;
type Fact = { text: string; page?: number };

/** Rows: words that are found, tables of ICDAR 2013, CPU and memory, of each engine that is installed. */
export async function benchParse(folder: string | undefined): Promise<Row[]> {
  if (folder === undefined || !existsSync(join(folder, 'expected.json'))) {
    throw new Error(
      'parse needs --data <folder> with expected.json, PDFs, and icdar2013/ with PDFs and their -str.xml',
    );
  }
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, Fact[]>;
  const files = Object.keys(expected).filter((name) => name.endsWith('.pdf') && (expected[name]?.length ?? 0) > 0);
  const icdar = join(folder, 'icdar2013');
  const tableFiles = existsSync(icdar) ? readdirSync(icdar).filter((name) => name.endsWith('.pdf')) : [];
  const rows: Row[] = [];
  for (const [engine, install] of Object.entries(engines) as [EngineName, string][]) {
    const order: ParseOrder = {
      engine,
      texts: [...files.map((name) => join(folder, name)), ...tableFiles.map((name) => join(icdar, name))],
      tables: tableFiles.map((name) => join(icdar, name)),
    };
    const report = await run(order).catch(() => undefined);
    if (report === undefined) {
      process.stderr.write(`parse: ${engine} is not installed: npm install --no-save ${install}\n`);
      continue;
    }
    const facts = files.flatMap(
      (name, index) => expected[name]?.map((fact) => isFound(fact, report.texts[index])) ?? [],
    );
    rows.push(...rowsOf(engine, report, facts, countsOf(report, order.tables)));
  }
  return rows;
}

function rowsOf(engine: EngineName, report: ParseReport, facts: readonly boolean[], counts: RelationCounts): Row[] {
  const isOurs = engine === 'ragmesh';
  const found = facts.filter(Boolean).length;
  const precision = counts.right / Math.max(1, counts.found);
  const recall = counts.right / Math.max(1, counts.true);
  const pageMs = report.cpuMs / Math.max(1, report.pageCount);
  const hasTables = counts.found > 0;
  return [
    {
      name: `${engine}: strings that are found on their page`,
      measured: `${found} of ${facts.length}`,
      ...{ value: found / Math.max(1, facts.length), sense: '≥', bar: isOurs ? 1 : 0 },
    },
    ...(hasTables
      ? [
          {
            name: `${engine}: adjacency F1 of the tables of ICDAR 2013`,
            measured: `precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)} of ${counts.true} relations`,
            ...{
              value: (2 * counts.right) / (counts.found + counts.true),
              sense: '≥' as const,
              bar: isOurs ? 0.82 : 0,
            },
          },
        ]
      : []),
    {
      name: `${engine}: CPU ms a page`,
      measured: `${report.pageCount} pages; at most ${report.peakMb.toFixed(0)} MB`,
      ...{ value: pageMs, sense: '≤', bar: isOurs ? 60 : 1000 },
    },
  ];
}

function isFound({ text, page }: Fact, pages: readonly string[] | undefined): boolean {
  const shown = page === undefined ? (pages ?? []).join('') : (pages?.[page - 1] ?? '');
  return normal(shown).includes(normal(text));
}

function countsOf({ tables }: ParseReport, paths: readonly string[]): RelationCounts {
  const all = paths.map((path, index) => {
    const truth = readTruth(readFileSync(path.replace(/\.pdf$/, '-str.xml'), 'utf8')).flatMap(relationsOf);
    return compareRelations((tables[index] ?? []).flatMap(relationsOf), truth);
  });
  const sum = (key: keyof RelationCounts) => all.reduce((total, one) => total + one[key], 0);
  return { found: sum('found'), right: sum('right'), true: sum('true') };
}

function run(order: ParseOrder): Promise<ParseReport> {
  const child = fork(new URL('./parse-process.ts', import.meta.url), [], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.send(order);
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as ParseReport));
    child.once('exit', (code) => reject(new Error(`the process of ${order.engine} ended with ${code}`)));
  });
}
