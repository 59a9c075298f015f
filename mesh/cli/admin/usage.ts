import { readFileSync } from 'node:fs';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AuditService, type UsageRow } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { CommandError, printJson } from '../command.ts';
import type { MeshConnection } from '../connect.ts';
import { focusColumns, focusRow } from './focus.ts';
import { printTable } from './print.ts';
import { compareCosts, parseCosts } from './reconciliation.ts';

/** What the actions read of the command line. */
export interface UsageFlags {
  /** First day, YYYY-MM-DD in UTC; empty: from the beginning. */
  from: string;
  /** Day after the last one; empty: to the end. */
  before: string;
  focus: boolean;
  tolerance: string;
  columns: string;
  json: boolean;
}

/** Prints the ledger by day, model and user. */
export async function printUsage(mesh: MeshConnection, flags: UsageFlags): Promise<void> {
  const rows = await readUsage(mesh, flags);
  if (flags.focus) {
    process.stdout.write(`${focusColumns.join(',')}\n`);
    for (const row of rows) process.stdout.write(`${focusRow(row).map(toCsv).join(',')}\n`);
  } else if (flags.json) {
    for (const row of rows) printJson({ ...plain(row) });
  } else {
    const lines = rows.map((row) => Object.values(plain(row)).map(String));
    printTable([['day', 'model', 'user', 'answers', 'cached', 'prompt', 'completion', 'cost', 'currency'], ...lines]);
  }
}

/** Compares the ledger with a provider's export, prints what differs, and returns the exit code. */
export async function reconcile(mesh: MeshConnection, flags: UsageFlags, file: string): Promise<number> {
  const tolerance = Number(flags.tolerance) / 100;
  if (!(tolerance >= 0 && tolerance < 1)) throw new CommandError('--tolerance is a share in percent, 0 to 100');
  const exported = parseCosts(readFileSync(file, 'utf8'), flags.columns.split(','));
  const days = exported.map(({ day }) => day).toSorted();
  const from = flags.from || (days[0] ?? '');
  const before = flags.before || nextDay(days.at(-1) ?? '');
  const rows = (await readUsage(mesh, { from, before })).filter(({ costMicros }) => costMicros > 0n);
  const ledger = rows.map(({ day, model, costMicros }) => ({ day, model, cost: Number(costMicros) / 1e6 }));
  const within = exported.filter(({ day }) => day >= from && day < before);
  const { differences, share, total } = compareCosts(ledger, within);
  const isWithin = share <= tolerance;
  if (flags.json) printJson({ from, before, ...total, share, isWithin, differences });
  else {
    const lines = differences.map(({ day, model, ledger: own, provider }) => [
      day,
      model,
      own.toFixed(6),
      provider.toFixed(6),
    ]);
    printTable([['day', 'model', 'ledger', 'provider'], ...lines]);
    const percent = (share * 100).toFixed(3);
    process.stdout.write(
      `ledger ${total.ledger.toFixed(6)}, provider ${total.provider.toFixed(6)}: ${percent} % apart\n`,
    );
  }
  return isWithin ? 0 : 3;
}

async function readUsage(
  mesh: MeshConnection,
  { from, before }: Pick<UsageFlags, 'from' | 'before'>,
): Promise<UsageRow[]> {
  const report = await mesh.client(AuditService).getUsageReport({
    ...(from !== '' && { from: timestampFromMs(parseDay(from)) }),
    ...(before !== '' && { before: timestampFromMs(parseDay(before)) }),
  });
  return report.rows;
}

function parseDay(text: string): number {
  const timeMs = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new CommandError(`"${text}" is no day: write it as 2026-12-01`);
  return timeMs;
}

function nextDay(day: string): string {
  return day === '' ? '' : new Date(parseDay(day) + 86_400_000).toISOString().slice(0, 10);
}

function plain({
  day,
  model,
  user,
  answerCount,
  cachedCount,
  promptTokens,
  completionTokens,
  costMicros,
  currency,
}: UsageRow) {
  return {
    ...{ day, model, user, answers: Number(answerCount), cached: Number(cachedCount) },
    ...{ promptTokens: Number(promptTokens), completionTokens: Number(completionTokens) },
    ...{ cost: Number(costMicros) / 1e6, currency },
  };
}

/** Returns a cell of CSV (RFC 4180). One that a spreadsheet would take as a formula gets an apostrophe. */
function toCsv(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
