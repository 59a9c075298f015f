import { expect, test } from 'vitest';
import { fuzzParsers } from './fuzz-parsers.ts';
import { validFiles } from './valid-files.ts';

test('no damaged file of any format crashes a parser, hangs it or fails without a typed reason', async () => {
  const report = await fuzzParsers({ count: 600, seed: 20_261_202, concurrency: 2 });
  expect(report.faults).toEqual([]);
  // Damage reaches the readers: of each format some files are read.
  for (const { parser } of validFiles()) expect(report.readCount.get(parser) ?? 0, parser).toBeGreaterThan(0);
}, 600_000);
