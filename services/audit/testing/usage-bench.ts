import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { UsageDimension, UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { audit } from '../index.ts';

// `node services/audit/testing/usage-bench.ts [rows] [users]`: times of the pages of usage over a ledger of a year, 10 million rows by default.

const [rows = 10_000_000, users = 5000] = process.argv.slice(2).map(Number);
const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-usage-'));
const now = Date.parse('2026-12-01T00:00:00Z');
const dimensions = [
  ['model', UsageDimension.MODEL],
  ['purpose', UsageDimension.PURPOSE],
  ['key', UsageDimension.KEY],
  ['user', UsageDimension.USER],
] as const;
const year = { fromDay: '2025-12-01', beforeDay: '2026-12-01' };
const month = { fromDay: '2026-11-01', beforeDay: '2026-12-01' };
const thirtyDays = { fromDay: '2026-10-15', beforeDay: '2026-11-14' };

await (await startTestMesh([audit], { dataDir, clock: () => now })).close(true);
fill(new DatabaseSync(join(dataDir, 'audit', 'audit.db')));

const mesh = await startTestMesh([audit], { dataDir, clock: () => now });
const client = mesh.client(UsageService);
const options = await mesh.as();
for (const [name, days] of Object.entries({ year, month, thirtyDays })) {
  for (const [label, dimension] of dimensions) {
    const list = await timesOf(() => client.listUsage({ ...days, dimension }, options));
    const trend = await timesOf(() => client.getUsageTrend({ ...days, dimension }, options));
    process.stdout.write(`${name} ${label}: list ${list}, trend ${trend}\n`);
  }
}
await mesh.close(true);
rmSync(dataDir, { recursive: true });

/** Returns the first and the median time of 11 calls, in milliseconds. */
async function timesOf(call: () => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let at = 0; at < 11; at++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  const median = times.toSorted((a, b) => a - b)[5] ?? 0;
  return `${times[0]?.toFixed(1)} / ${median.toFixed(1)} ms`;
}

/** Writes the ledger, and the totals that its writer would have written. */
function fill(db: DatabaseSync): void {
  const from = Date.parse(`${year.fromDay}T00:00:00Z`);
  const step = Math.floor((365 * 86_400_000) / rows);
  db.exec('PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; BEGIN');
  db.exec(`
    CREATE TEMP TABLE calls AS WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < ${rows - 1})
      SELECT x, 'u' || ((x * 7919) % ${users}) AS user, (x * 31) % 5 AS model, (x * 17) % 4 AS purpose, (x * 13) % 50 AS key,
        strftime('%Y-%m-%d', (${from} + x * ${step}) / 1000, 'unixepoch') AS day, 100 + x % 900 AS tokens FROM n;
    INSERT INTO ledger SELECT 'acme', 'r' || x, 'r' || x, user, ${from} + x * ${step}, ${from} + x * ${step}, zeroblob(64) FROM calls;
  `);
  for (const [dimension, name, period] of [
    ['model', "'m' || model", 'day'],
    ['purpose', "'p' || purpose", 'day'],
    ['key', "'k' || key", 'day'],
    ['user', 'user', 'day'],
    ['user', 'user', 'substr(day, 1, 7)'],
  ]) {
    db.exec(`INSERT INTO usage_totals SELECT 'acme', '${dimension}', ${period}, ${name}, 'USD', COUNT(*), 0, 0, SUM(tokens), SUM(tokens) / 5,
      SUM(tokens), 0, 0 FROM calls GROUP BY ${period}, ${name}`);
  }
  db.exec('COMMIT');
  const { ledger, totals } = db
    .prepare('SELECT (SELECT COUNT(*) FROM ledger) AS ledger, (SELECT COUNT(*) FROM usage_totals) AS totals')
    .get() as { ledger: number; totals: number };
  db.close();
  process.stdout.write(`${ledger} rows of the ledger, ${totals} totals\n`);
}
