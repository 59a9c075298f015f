import { expect, test } from 'vitest';
import { parseOutcome } from './outcome.ts';

test('the summary of a run is read with its failures, known failures and cases that did not run', () => {
  const output = [
    'Running 9 tests …',
    'FAILED: Basic/unary/success:',
    '\texpecting 1 response messages but instead got 0',
    'INFO: Basic/unary/odd failed (as expected):',
    '\tnot this',
    '',
    'Total cases: 9',
    '5 passed, 1 failed',
    'Another 1 could not be run due to client timing out or exiting prematurely.',
    '(Another 2 failed as expected due to being known failures/flakes.)',
    '',
  ].join('\n');
  expect(parseOutcome(output)).toEqual({
    runCount: 8,
    passedCount: 5,
    failedCount: 1,
    knownCount: 2,
    skippedCount: 1,
    failures: ['FAILED: Basic/unary/success:\n\texpecting 1 response messages but instead got 0\n'],
  });
});

test('a runner that did not get to its summary is an error that shows what it said', () => {
  expect(() => parseOutcome('Error: open x.yaml: no such file\n')).toThrow('no such file');
});
