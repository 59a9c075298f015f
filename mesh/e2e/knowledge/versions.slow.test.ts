import type { CallOptions, Client } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatService, Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { type AnswerDone, CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService, type Job, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { GateCheckKind, GateMode, VersionGateService } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { IndexAdminService } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The life of a corpus over the real services: versions that must prove themselves, edits by people, and the way back.

const corpus = 'manual';
const words = ['kettle', 'toaster', 'blender', 'mixer', 'grinder', 'freezer', 'heater', 'washer', 'dryer', 'lamp'];
const textOf = (word: string) => `The ${word} has a warranty of ${words.indexOf(word) + 2} years.`;

let mesh: WholeMesh;
let options: CallOptions;
let indexer: Client<typeof IndexerService>;
let gate: Client<typeof VersionGateService>;
let overlays: Client<typeof OverlayService>;

beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false });
  options = await mesh.as(testPrincipal());
  indexer = mesh.client(IndexerService);
  gate = mesh.client(VersionGateService);
  overlays = mesh.client(OverlayService);
});
afterAll(() => mesh.close());

async function finish(jobId: string): Promise<Job> {
  let last: Job | undefined;
  for await (const { job } of indexer.watchJob({ jobId }, options)) last = job;
  if (last === undefined) throw new Error('no word of the job');
  return last;
}

/** Uploads one document for each word and returns the job after its end. */
async function ingest(textFor: (word: string) => string): Promise<Job> {
  const lines = words.map((word) => JSON.stringify({ id: word, title: 'Appliance', text: textFor(word) }));
  const { jobId } = await indexer.ingestDocuments(
    (async function* () {
      yield { part: { case: 'start' as const, value: { corpus } } };
      yield { part: { case: 'file' as const, value: { path: 'manual.jsonl' } } };
      yield { part: { case: 'data' as const, value: new TextEncoder().encode(lines.join('\n')) } };
    })(),
    options,
  );
  return finish(jobId);
}

async function found(query: string): Promise<string[]> {
  const events = mesh.client(RetrievalService).retrieve({ query, corpora: [corpus], waitForStages: true }, options);
  for await (const { event } of events) {
    if (event.case === 'fused') return event.value.passages.map(({ text }) => text);
  }
  throw new Error('no result came');
}

test('a version that answers judged questions worse is held, one that answers them as well becomes live', async () => {
  const queries = words.map((word) => ({
    queryId: word,
    text: `How long is the warranty of the ${word}?`,
    judgements: [{ documentId: word, grade: 1 }],
  }));
  await mesh.client(EvaluationService).putDataSet(
    (async function* () {
      yield { dataSet: corpus, queries };
    })(),
    options,
  );
  await gate.putGate({ corpus, gate: { mode: GateMode.JUDGED } }, options);
  expect(await ingest(textOf)).toMatchObject({ state: JobState.SUCCEEDED, version: 1n });

  const held = await ingest((word) => (words.indexOf(word) < 7 ? 'Ask the shop about it.' : textOf(word)));
  expect(held.state).toBe(JobState.HELD);
  expect(held.gate?.checks.filter(({ passed }) => !passed).map(({ kind }) => kind)).toEqual([GateCheckKind.QUESTIONS]);
  expect(held.gate?.figures.find(({ name }) => name === 'nDCG@10')?.high).toBeLessThan(0);
  const worse = held.gate?.worseQuestions.map(({ queryId }) => queryId) ?? [];
  expect(worse.length).toBeGreaterThanOrEqual(6);
  expect(words.slice(0, 7)).toEqual(expect.arrayContaining(worse));
  expect((await found('warranty of the kettle'))[0]).toContain('kettle');

  await gate.rejectVersion({ jobId: held.jobId, comment: 'the texts are gone' }, options);
  expect((await finish(held.jobId)).state).toBe(JobState.CANCELLED);
  const better = await ingest((word) => `${textOf(word)} Keep the receipt.`);
  expect(better).toMatchObject({ state: JobState.SUCCEEDED, version: 3n, gate: { worseCount: 0 } });
  expect((await found('warranty of the kettle'))[0]).toContain('receipt');
});

test('edits by people are found immediately, survive the next upload, and one call goes back', async () => {
  const { chunks } = await overlays.listChunks({ corpus, documentId: 'lamp' }, options);
  const of = (kind: OverlayKind, contentHash: string) => ({ corpus, documentId: 'lamp', kind, contentHash });
  const target = of(OverlayKind.CHUNK, chunks[0]?.textHash ?? '');
  const text = 'The lamp is repaired by the manufacturer only: call Zephyrine.';
  const { jobId } = await overlays.putOverlay({ target, change: { case: 'text', value: text } }, options);
  expect((await finish(jobId)).gate?.checks.every(({ passed }) => passed)).toBe(true);
  expect((await found('Zephyrine'))[0]).toBe(text);

  await ingest((word) => (word === 'dryer' ? 'The dryer is no longer sold.' : `${textOf(word)} Keep the receipt.`));
  expect((await found('Zephyrine'))[0]).toBe(text);

  // A hidden document is found by no search, and its text is still there to be shown again.
  const whole = of(OverlayKind.DOCUMENT, '');
  await finish((await overlays.putOverlay({ target: whole, change: { case: 'hidden', value: true } }, options)).jobId);
  expect((await found('Zephyrine')).filter((passage) => passage.includes('lamp'))).toEqual([]);
  await finish((await overlays.deleteOverlay({ target: whole }, options)).jobId);
  expect((await found('Zephyrine'))[0]).toBe(text);

  const admin = mesh.client(IndexAdminService);
  const { versions } = await admin.listVersions({ corpus }, options);
  await admin.rollbackVersion({ corpus, version: versions[1]?.version ?? 0n }, options);
  expect((await found('Zephyrine')).filter((passage) => passage.includes('lamp'))).toEqual([]);
});

test('a version on trial answers its sessions only, from the cache too, until one call ends the trial', async () => {
  const trial = { canaryPercent: 50, shadowPercent: 100 };
  await gate.putGate({ corpus, gate: { mode: GateMode.INVARIANTS, trial } }, options);
  const { jobId, ...held } = await ingest((word) => `${textOf(word)} Register it at example.com.`);
  expect(held.state).toBe(JobState.HELD);
  const version = held.gate?.version;

  const askAs = async (user: string) => {
    const as = await mesh.as(testPrincipal({ user }));
    let text = '';
    let done: AnswerDone | undefined;
    const versions = new Set<bigint>();
    const request = { question: 'How long is the warranty of the blender?', corpora: [corpus] };
    for await (const { event } of mesh.client(ChatService).ask(request, as)) {
      if (event.case === 'textDelta') text += event.value.text;
      if (event.case === 'sources') for (const passage of event.value.passages) versions.add(passage.version);
      if (event.case === 'done') done = event.value;
    }
    expect(text).toContain('4 years');
    expect(versions.size).toBe(1);
    return {
      isCandidate: versions.has(version as bigint),
      layer: done?.cacheLayer,
      answerId: done?.answerId ?? '',
      as,
    };
  };
  const users = Array.from({ length: 16 }, (_, index) => `customer-${index}`);
  const first = new Map<string, Awaited<ReturnType<typeof askAs>>>();
  for (const user of users) first.set(user, await askAs(user));
  const answers = [...first.values()];
  const generated = answers.filter(({ layer }) => layer === CacheLayer.UNSPECIFIED);
  // One answer for each version; all others came from the cache, each from the one of its version.
  expect(generated.map(({ isCandidate }) => isCandidate).sort()).toEqual([false, true]);
  for (const user of users) expect((await askAs(user)).isCandidate).toBe(first.get(user)?.isCandidate);

  const rated = answers.find(({ isCandidate }) => isCandidate);
  await mesh
    .client(ChatService)
    .submitFeedback({ answerId: rated?.answerId ?? '', rating: Rating.DOWN }, rated?.as ?? {});
  const candidateCount = 2n * BigInt(answers.filter(({ isCandidate }) => isCandidate).length);
  const figures = async () => (await gate.getTrial({ corpus }, options)).trial;
  await expect.poll(async () => (await figures())?.searches?.comparedCount, { timeout: 20_000 }).toBe(1n);
  expect(await figures()).toMatchObject({
    jobId,
    candidate: { answerCount: candidateCount, refusedCount: 0n, downCount: 1n },
    live: { answerCount: 32n - candidateCount, downCount: 0n },
    lacksAnswers: false,
  });

  await gate.rejectVersion({ jobId }, options);
  for (const user of users.slice(0, 4)) expect((await askAs(user)).isCandidate).toBe(false);
  expect(await figures()).toBeUndefined();
  await finish(jobId);
});
