import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { GateReportSchema } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { describeReport } from './promote.ts';

test('a report says what was checked, what the figures are, and which questions became worse', () => {
  const report = create(GateReportSchema, {
    checks: [
      { passed: true, finding: '5 documents are there' },
      { passed: false, finding: 'a fifth is lost' },
    ],
    figures: [{ dataSet: 'help', name: 'nDCG@10', live: 0.9, checked: 0.85 }],
    worseQuestions: [{ text: 'returns?', live: 1, checked: 0 }],
    worseCount: 1,
  });
  expect(describeReport(report).split('\n')).toEqual([
    '  passed: 5 documents are there',
    '  failed: a fifth is lost',
    '  help nDCG@10: 0.900 live, 0.850 now',
    '  1 questions worse, 0 better',
    '    1.00 → 0.00  returns?',
    '',
  ]);
  expect(describeReport(undefined)).toBe('');
});
