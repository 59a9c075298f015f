import { expect, test } from 'vitest';
import { printTable, type Row } from './table.ts';

const row = (change: Partial<Row>): Row => ({
  group: 'one',
  name: 'claim',
  outcome: 'passed',
  detail: '3 of 3',
  problems: [],
  ...change,
});

function print(...rows: Row[]) {
  const lines: string[] = [];
  const code = printTable(rows, (line) => lines.push(line));
  return { code, lines };
}

test('rows are in their groups, with counts at the end', () => {
  const { code, lines } = print(row({}), row({ group: 'two', outcome: 'skipped' }));
  expect(code).toBe(0);
  expect(lines.map((line) => line.trim())).toEqual([
    'one',
    'passed   claim  3 of 3',
    'two',
    'skipped  claim  3 of 3',
    '1 passed, 0 failed, 1 skipped',
  ]);
});

test('a failed row makes the command fail and shows its first problems, and how many there are more', () => {
  const problems = Array.from({ length: 12 }, (_, at) => `problem ${at}`);
  const { code, lines } = print(row({ outcome: 'failed', problems }));
  expect(code).toBe(1);
  expect(lines).toContain('             problem 9');
  expect(lines).not.toContain('             problem 10');
  expect(lines).toContain('             … and 2 more');
});
