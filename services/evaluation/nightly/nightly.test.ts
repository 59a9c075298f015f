import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AskRequest } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EvaluationRunSchema, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { evaluation } from '../index.ts';
import { createAnswers } from '../testing/chat-stand-in.ts';
import { createSearch } from '../testing/stand-ins.ts';
import { compareRuns } from './compare-runs.ts';
import { nextTimeMs, readNightly } from './suites.ts';

const dayMs = 86_400_000;
const noon = Date.parse('2026-11-20T12:00:00Z');
const suites = [{ tenant: 'acme', dataSet: 'set', corpora: ['help'], groups: ['staff'] }];
const poll = { timeout: 40_000, interval: 20 };

/** A mesh whose nightly job looks at each start: the schedule has a time in each day. */
async function start(dataDir: string, clock: () => number) {
  const { retrieval, probe } = createSearch();
  const mesh = await startTestMesh([retrieval, evaluation], {
    dataDir,
    clock,
    config: { evaluation: { nightly: { schedule: '0 3 * * *', suites } } } as never,
  });
  const client = mesh.client(EvaluationService);
  const state = async () => (await client.listSuites({}, await mesh.as())).suites[0];
  const metric = async () =>
    /ragmesh_quality_regression\{tenant="acme",suite="retrieval",data_set="set"\} (\d)/.exec(
      await mesh.host.metrics.registry.metrics(),
    )?.[1];
  return { mesh, probe, client, state, metric, [Symbol.asyncDispose]: () => mesh.close(true) };
}

test('each night the questions are asked once of the live versions; a significant loss is raised until it is accepted', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-nightly-'));
  let now = noon;
  const clock = () => now;
  const questions = Array.from({ length: 20 }, (_, at) => ({
    queryId: `${at}`,
    text: `a${at} x`,
    judgements: [{ documentId: `a${at}`, grade: 1 }],
  }));
  {
    await using first = await start(dataDir, clock);
    await first.client.addQueries({ dataSet: 'set', queries: questions }, await first.mesh.as());
    // Added when the job looked for the first time: the first run is in the next night.
    await expect.poll(first.state, poll).toMatchObject({ isWorse: false });
    expect(first.probe.requests).toEqual([]);
  }
  now += dayMs;
  let firstRun = '';
  {
    await using second = await start(dataDir, clock);
    await expect.poll(async () => (await second.state())?.latest?.queryCount, poll).toBe(20);
    expect(second.probe.requests).toHaveLength(20);
    expect(second.probe.requests[0]).toMatchObject({ corpora: ['help'], waitForStages: true });
    expect(await second.state()).toMatchObject({ isWorse: false, report: { baselineRunId: '' } });
    expect(await second.metric()).toBe('0');
    firstRun = (await second.state())?.latest?.runId ?? '';
    // The answers move to the second place.
    const moved = questions.map((question) => ({ ...question, text: `x ${question.judgements[0]?.documentId}` }));
    await second.client.addQueries({ dataSet: 'set', queries: moved }, await second.mesh.as());
  }
  now += dayMs;
  await using third = await start(dataDir, clock);
  await expect.poll(async () => (await third.state())?.isWorse, poll).toBe(true);
  const { report, nextRunAt } = (await third.state()) ?? {};
  expect(report).toMatchObject({ baselineRunId: firstRun, questionCount: 20, isWorse: true });
  expect(report?.questions[0]).toMatchObject({ before: 1 });
  expect(Number(nextRunAt?.seconds)).toBe(Date.parse('2026-11-23T03:00:00Z') / 1000);
  expect(await third.metric()).toBe('1');
  const stranger = await third.mesh.as(testPrincipal({ tenant: 'other' }));
  expect((await third.client.listSuites({}, stranger)).suites).toEqual([]);
  await expect(third.client.acceptSuite({ dataSet: 'set' }, stranger)).rejects.toThrow('set');
  await third.client.acceptSuite({ dataSet: 'set' }, await third.mesh.as());
  expect(await third.metric()).toBe('0');
});

test('a night whose searches fail is left out, and says nothing about quality', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-nightly-'));
  let now = noon;
  {
    await using first = await start(dataDir, () => now);
    const queries = [{ queryId: '1', text: 'down', judgements: [{ documentId: 'a', grade: 1 }] }];
    await first.client.addQueries({ dataSet: 'set', queries }, await first.mesh.as());
    await expect.poll(first.state, poll).toMatchObject({ isWorse: false });
  }
  now += dayMs;
  await using second = await start(dataDir, () => now);
  await expect
    .poll(async () => Number((await second.state())?.nextRunAt?.seconds), poll)
    .toBe(Date.parse('2026-11-22T03:00:00Z') / 1000);
  expect(await second.state()).toMatchObject({ isWorse: false });
  expect((await second.state())?.latest).toBeUndefined();
});

test('questions that lose and have another result when asked again are named as flaky, and are not compared', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-nightly-'));
  const asked = new Map<string, number>();
  // From the second night on, the first answer to each question is wrong; "worse" is wrong again.
  let isNight2 = false;
  const answerOf = ({ question }: AskRequest) => {
    const count = (asked.get(question) ?? 0) + 1;
    asked.set(question, count);
    return isNight2 && (count === 2 || question === 'worse') ? 'no' : 'yes';
  };
  let now = noon;
  const open = async () => {
    const { chat, cache } = createAnswers(answerOf);
    const mesh = await startTestMesh([createSearch().retrieval, chat, cache, evaluation], {
      dataDir,
      clock: () => now,
      config: {
        evaluation: { nightly: { suites: [{ tenant: 'acme', dataSet: 'set', suite: SuiteKind.ANSWERS }] } },
      } as never,
    });
    const client = mesh.client(EvaluationService);
    const state = async () => (await client.listSuites({}, await mesh.as())).suites[0];
    return { mesh, client, state, [Symbol.asyncDispose]: () => mesh.close(true) };
  };
  {
    await using first = await open();
    const queries = [...Array.from({ length: 8 }, (_, at) => `q${at}`), 'worse'].map((text) => ({
      ...{ queryId: text, text },
      answer: { facts: [{ wordings: ['yes'] }] },
    }));
    await first.client.addQueries({ dataSet: 'set', queries }, await first.mesh.as());
    await expect.poll(first.state, poll).toMatchObject({ suite: SuiteKind.ANSWERS });
  }
  now += dayMs;
  {
    await using second = await open();
    await expect.poll(async () => (await second.state())?.latest?.queryCount, poll).toBe(9);
  }
  isNight2 = true;
  now += dayMs;
  await using third = await open();
  await expect.poll(async () => (await third.state())?.report?.flakyQuestions.length, poll).toBe(8);
  const { report } = (await third.state()) ?? {};
  expect(report?.questions).toMatchObject([{ queryId: 'worse', before: 1, now: 0 }]);
  expect(report?.questionCount).toBe(1);
});

test('only an operator adds questions and sees suites', async () => {
  await using one = await start(mkdtempSync(join(tmpdir(), 'ragmesh-nightly-')), () => noon);
  const reader = await one.mesh.as(testPrincipal({ roles: [Role.READER] }));
  const queries = [{ queryId: '1', text: 'a', judgements: [{ documentId: 'a', grade: 1 }] }];
  await expect(one.client.addQueries({ dataSet: 'set', queries }, reader)).rejects.toThrow('operator');
  await expect(one.client.listSuites({}, reader)).rejects.toThrow('operator');
  const operator = await one.mesh.as();
  await one.client.addQueries({ dataSet: 'set', queries }, operator);
  expect(await one.client.addQueries({ dataSet: 'set', queries }, operator)).toMatchObject({ queryCount: 1 });
  expect((await one.client.listDataSets({}, operator)).dataSets).toMatchObject([{ dataSet: 'set', queryCount: 1 }]);
});

test('a run is worse only if the interval of its differences is below 0', async () => {
  const runOf = (scores: readonly number[]) =>
    create(EvaluationRunSchema, {
      runId: 'r',
      metrics: [{ name: 'nDCG@10' }],
      questions: scores.map((score, at) => ({ queryId: `${at}`, text: `${at}`, scores: [score] })),
    });
  const score = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(score, score), { maxLength: 30 }), async (pairs) => {
      const report = await compareRuns(runOf(pairs.map(([a]) => a)), runOf(pairs.map(([, b]) => b)));
      const [gain] = report.gains;
      expect(report.questionCount).toBe(pairs.length);
      expect(report.isWorse).toBe(gain !== undefined && gain.high < 0);
      if (pairs.every(([a, b]) => a >= b)) expect(report.isWorse).toBe(false);
      const same = await compareRuns(runOf(pairs.map(([a]) => a)), runOf(pairs.map(([a]) => a)));
      expect(same).toMatchObject({ isWorse: false, questions: [] });
    }),
    { numRuns: 20 },
  );
});

test('a schedule that is none is named by its path', () => {
  expect(() => readNightly({ schedule: 'each night', suites: [] } as never)).toThrow('evaluation.nightly.schedule');
  expect(nextTimeMs('30 2 * * *', noon)).toBe(Date.parse('2026-11-21T02:30:00Z'));
});
