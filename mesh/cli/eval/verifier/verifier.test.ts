import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CommandError } from '../../command.ts';
import { createEvaluateVerifier, worseThan } from './command.ts';
import { measureVerifier } from './measure.ts';
import { readClaimSets } from './sets.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragmesh-verifier-'));
  const news = {
    id: 'doc_1',
    headLine: '标题',
    broadcastDate: '2015-01-22',
    newsBeginning: '德国外长会晤。',
    newsRemainder: '停火。',
  };
  writeFileSync(
    join(folder, 'uhgeval.jsonl'),
    `${JSON.stringify({ ...news, annotations: ['德国外长<sep>合理', '1.5万辆<sep>不合理，没有'] })}\n`,
  );
  const claims = [
    { claim_string: 'Pens are blue [1].', evidence: ['[1] https://x.example\n\nPens are blue.'], support: 'Complete' },
    { claim_string: 'Pens fly [1].', evidence: ['[1] https://x.example\n\nPens are blue.'], support: 'Incomplete' },
    { claim_string: 'No evidence.', evidence: [], support: 'Missing' },
  ];
  writeFileSync(
    join(folder, 'expertqa.jsonl'),
    `${JSON.stringify({ question: 'Pens?', answers: { model: { claims } } })}\n`,
  );
  mkdirSync(join(folder, 'faithbench'));
  const summary = 'Pens are blue. Pens fly at night.';
  const annotations = [{ label: ['Unwanted.Extrinsic'], summary_start: 20, summary_end: 24 }];
  const samples = [{ sample_id: 1, source: 'Pens are blue.', summary, annotations }];
  writeFileSync(join(folder, 'faithbench', 'batch_1.json'), JSON.stringify({ samples }));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('public sets are read in the form in which they are published', () => {
  const sets = readClaimSets(folder).map(({ name, claims }) => [
    name,
    ...claims.map((claim) => [claim.claim, claim.isSupported]),
  ]);
  expect(sets).toEqual([
    ['expertqa', ['Pens are blue.', true], ['Pens fly.', false]],
    ['faithbench', ['Pens are blue.', true], ['Pens fly at night.', false]],
    ['uhgeval', ['德国外长', true], ['1.5万辆', false]],
  ]);
  expect(() => readClaimSets(tmpdir())).toThrow(CommandError);
});

test('the area counts a tie half, and alarms are shares of each kind', async () => {
  const claim = (text: string, isSupported: boolean) => ({ document: text, claim: text, source: '', isSupported });
  const scores: Record<string, number> = { a: 0.9, b: 0.5, c: 0.5, d: 0.1 };
  const set = { name: 'x', claims: [claim('a', true), claim('b', true), claim('c', false), claim('d', false)] };
  const figures = await measureVerifier(set, (text) => ({ score: scores[text], isNumberAlarm: text === 'd' }));
  // Of four pairs three are in order, and one is a tie.
  expect(figures.auc.mean).toBe(3.5 / 4);
  expect(figures).toMatchObject({ claimCount: 4, falseAlarms: 0, foundAlarms: 0.5 });
  const verdicts = (auc: number) => worseThan({ x: { auc, falseAlarms: 0 } }, { x: figures });
  expect([verdicts(0.8), verdicts(1.01)]).toEqual([[], ['x']]);
});

test('a significant loss exits with 3', async () => {
  const perfect = createEvaluateVerifier((claim) => ({ score: /fly|万/.test(claim) ? 0 : 1, isNumberAlarm: false }));
  const wrong = createEvaluateVerifier((claim) => ({ score: /fly|万/.test(claim) ? 1 : 0, isNumberAlarm: false }));
  const file = join(folder, 'baseline.json');
  expect(await perfect({ args: [folder, '--json', '--write-baseline', file] })).toBe(0);
  expect(await perfect({ args: [folder, '--json', '--baseline', file] })).toBe(0);
  expect(await wrong({ args: [folder, '--json', '--baseline', file] })).toBe(3);
});
