import { readFileSync } from 'node:fs';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AuditService, type UsageRow } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { UsageFormat, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { CommandError, printJson } from '../command.ts';
import type { MeshConnection } from '../connect.ts';
import { printTable } from './print.ts';

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
  if (flags.focus) {
    const [fromDay, beforeDay] = [flags.from || yearAgo(), flags.before || today(1)];
    const request = { fromDay, beforeDay, format: UsageFormat.FOCUS };
    for await (const { text } of mesh.client(UsageService).exportUsage(request)) process.stdout.write(text);
    return;
  }
  const rows = await readUsage(mesh, flags);
  if (flags.json) {
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
  const [dayColumn = '', modelColumn = '', costColumn = '', ...rest] = flags.columns.split(',');
  if (costColumn === '' || rest.length > 0) {
    throw new CommandError('--columns needs three names: of the day, the model and the cost');
  }
  const result = await mesh.client(UsageService).reconcileUsage({
    ...{ csv: readFileSync(file, 'utf8'), dayColumn, modelColumn, costColumn },
    ...{ fromDay: flags.from, beforeDay: flags.before },
  });
  const { fromDay: from, beforeDay: before, ledgerCost: ledger, providerCost: provider, share, differences } = result;
  const isWithin = share <= tolerance;
  if (flags.json) {
    const plainDifferences = differences.map(({ $typeName: _, ...each }) => each);
    printJson({ from, before, ledger, provider, share, isWithin, differences: plainDifferences });
  } else {
    const lines = differences.map(({ day, model, ledgerCost, providerCost }) => [
      day,
      model,
      ledgerCost.toFixed(6),
      providerCost.toFixed(6),
    ]);
    printTable([['day', 'model', 'ledger', 'provider'], ...lines]);
    const percent = (share * 100).toFixed(3);
    process.stdout.write(`ledger ${ledger.toFixed(6)}, provider ${provider.toFixed(6)}: ${percent} % apart\n`);
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

const dayMs = 86_400_000;

/** Returns the day in UTC, or the one of some days later. */
function today(daysLater: number): string {
  return new Date(Date.now() + daysLater * dayMs).toISOString().slice(0, 10);
}

const yearAgo = () => today(-365);

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
