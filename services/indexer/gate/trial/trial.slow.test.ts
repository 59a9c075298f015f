import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { QueryAuditResponseSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ListFeedbackResponseSchema } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { GateCheckKind, GateMode, GateVerdict } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import { type IndexerMesh, startIndexerMesh } from '../../testing/indexer-mesh.ts';
import { readTrialAnswers } from './trial-answers.ts';

let mesh: IndexerMesh;
let corpus: string;
let corpusCount = 0;
beforeAll(async () => {
  mesh = await startIndexerMesh({ config: { maxRunningJobs: 2 } });
});
afterAll(() => mesh.mesh.close());
beforeEach(() => {
  corpus = `corpus-${++corpusCount}`;
});

const shares = { canaryPercent: 10, shadowPercent: 50 };
const setGate = async () =>
  mesh.gate.putGate({ corpus, gate: { mode: GateMode.INVARIANTS, trial: shares } }, await mesh.as());
const trialOf = async () => (await mesh.gate.getTrial({ corpus }, await mesh.as())).trial;
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => toRpcError(error).code,
  );

test('a version that passes is held on trial if its gate says so, until an operator approves it', async () => {
  expect((await setGate()).gate).toMatchObject({ mode: GateMode.INVARIANTS, trial: shares });
  // The first one has nothing to be compared with.
  expect(await mesh.ingest({ 'a.md': 'one' }, { corpus })).toMatchObject({ state: JobState.SUCCEEDED });
  expect(await trialOf()).toBeUndefined();

  const held = await mesh.ingest({ 'a.md': 'two' }, { corpus });
  expect(held).toMatchObject({ state: JobState.HELD, gate: { verdict: GateVerdict.HELD } });
  const failed = held.gate?.checks.filter(({ passed }) => !passed);
  expect(failed).toMatchObject([{ kind: GateCheckKind.TRIAL, finding: expect.stringContaining('10 %') }]);
  // No service of answers runs here.
  expect(await trialOf()).toMatchObject({
    jobId: held.jobId,
    version: 2n,
    liveVersion: 1n,
    shares,
    lacksAnswers: true,
  });

  await mesh.gate.putTrial({ corpus, shares: { canaryPercent: 40 } }, await mesh.as());
  expect((await trialOf())?.shares).toMatchObject({ canaryPercent: 40, shadowPercent: 0 });
  await mesh.gate.approveVersion({ jobId: held.jobId }, await mesh.as());
  expect(await mesh.finish(held.jobId)).toMatchObject({ state: JobState.SUCCEEDED, version: 2n });
  expect(await trialOf()).toBeUndefined();
});

test('a rejection ends the trial with its reply, also while the worker cannot drop the version', async () => {
  await setGate();
  await mesh.ingest({ 'a.md': 'one' }, { corpus });
  const { jobId } = await mesh.ingest({ 'a.md': 'two' }, { corpus });
  const dropped = Promise.withResolvers<void>();
  mesh.index.intercept((rpc) => (rpc === 'abandon' ? dropped.promise : undefined));
  await mesh.gate.rejectVersion({ jobId }, await mesh.as());
  expect(await trialOf()).toBeUndefined();
  dropped.resolve();
  expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.CANCELLED });
  mesh.index.intercept(() => {});
});

test('a trial needs a held version, and its gate a mode', async () => {
  await mesh.ingest({ 'a.md': 'one' }, { corpus });
  expect(await codeOf(mesh.gate.putTrial({ corpus, shares }, await mesh.as()))).toBe(Code.FailedPrecondition);
  expect(await mesh.gate.getTrial({ corpus: 'absent' }, await mesh.as())).toMatchObject({});
  const gate = { mode: GateMode.OFF, trial: shares };
  expect(await codeOf(mesh.gate.putGate({ corpus, gate }, await mesh.as()))).toBe(Code.InvalidArgument);
});

test('answers and ratings are counted by the version of their session', async () => {
  const entry = (answerId: string, version: bigint, outcome: AnswerOutcome, name = 'help') =>
    create(QueryAuditResponseSchema, {
      entry: { sequence: 1n, record: { answerId, outcome, trialVersions: [{ corpus: name, version }] } },
    });
  const entries = [
    entry('a1', 1n, AnswerOutcome.ANSWERED),
    entry('a2', 1n, AnswerOutcome.REFUSED),
    entry('a3', 2n, AnswerOutcome.ANSWERED),
    entry('a4', 2n, AnswerOutcome.TRUNCATED),
    entry('a5', 2n, AnswerOutcome.ANSWERED, 'shop'),
    create(QueryAuditResponseSchema, { entry: { sequence: 2n, record: { answerId: 'a6' } } }),
  ];
  const ratings = [
    { answerId: 'a1', rating: Rating.DOWN },
    { answerId: 'a3', rating: Rating.UP },
    { answerId: 'a5', rating: Rating.UP },
  ];
  const deps = {
    audit: () => ({
      async *queryAudit() {
        yield* entries;
      },
    }),
    feedback: () => ({ listFeedback: async () => create(ListFeedbackResponseSchema, { feedback: ratings }) }),
  };
  const trial = { corpus: 'help', version: 2n, startedMs: 0 };
  expect(await readTrialAnswers(deps, trial, async () => ({}))).toEqual({
    live: { answers: 2, refused: 1, other: 0, up: 0, down: 1 },
    candidate: { answers: 2, refused: 0, other: 1, up: 1, down: 0 },
    isPartial: false,
  });
});
