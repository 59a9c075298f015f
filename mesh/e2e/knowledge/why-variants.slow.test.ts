import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { SourceService } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import { Leg, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { remediesOf } from '../../../services/console/testing/remedies.ts';
import { fillers, startSearchLab } from '../testing/search-lab.ts';
import { askWhole } from '../testing/whole-mesh.ts';

// More ways in which a document is not found: what people, sources, gates, languages and encodings do to it.

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-why-'));
const world = await startSearchLab({ indexer: { sources: { allowedFolders: [folder] } } } as never);
const { mesh, options, indexer, admin, gates, overlays, jobEnd, ingest, explain, expectFixed, chunkOf } = world;
afterAll(async () => {
  await mesh.close();
  rmSync(folder, { recursive: true });
});

const bonus = '# Bonus\n\nThe anniversary bonus is paid in March.';
const query = 'when is the anniversary bonus paid';
const addTerms = async (...terms: string[]) => {
  const { terms: before } = await admin.getTerms({}, options);
  const groups = [...(before?.groups ?? []), { terms }];
  await admin.putTerms({ terms: { groups, protectedTerms: before?.protectedTerms ?? [] } }, options);
};
const documentTarget = (corpus: string, documentId: string) => ({
  ...{ corpus, documentId, kind: OverlayKind.DOCUMENT, contentHash: '' },
});

test('the folder of a source is for a group: change the access at the source', async () => {
  writeFileSync(join(folder, 'bonus.md'), bonus);
  const sources = mesh.client(SourceService);
  const settings = { name: 'hr', corpus: 'folder', adapter: 'folder', settings: { path: folder } };
  const made = await sources.createSource({ settings: { ...settings, defaultAccess: { groups: ['staff'] } } }, options);
  const sourceId = made.source?.sourceId ?? '';
  /** Waits until so many runs and their jobs have ended. */
  const runs = async (count: number) => {
    const ids = async () => {
      const listed = await sources.listSourceRuns({ sourceId }, options);
      return listed.runs.flatMap(({ endedAt, jobIds }) => (endedAt === undefined ? [] : [jobIds]));
    };
    await expect.poll(async () => (await ids()).length, { timeout: 30_000 }).toBe(count);
    for (const jobId of (await ids()).flat()) await jobEnd(jobId);
  };
  await runs(1); // a new source runs by itself
  const { documents } = await indexer.listDocuments({ corpus: 'folder' }, options);
  const documentId = documents[0]?.documentId ?? '';
  const question = { corpus: 'folder', documentId, query, viewAs: { user: 'carl', groups: [] } };
  await expectFixed(question, Verdict.NO_ACCESS, 'grant', async ({ access }) => {
    expect(access?.groups).toContain('staff');
    await sources.updateSource({ sourceId, settings: { ...settings, defaultAccess: { groups: [] } } }, options);
    await sources.runSource({ sourceId }, options);
    await runs(2);
  });
});

test('a person has hidden it: show it again', async () => {
  await ingest('hidden', { ...fillers(5), 'bonus.md': bonus });
  const target = documentTarget('hidden', 'bonus.md');
  await jobEnd((await overlays.putOverlay({ target, change: { case: 'hidden', value: true } }, options)).jobId);
  await expectFixed({ corpus: 'hidden', documentId: 'bonus.md', query }, Verdict.NO_TEXT, 'show', async (found) => {
    // Neither another version nor an upload would help: the edit is applied to every version.
    expect(remediesOf(found)).not.toContain('version');
    expect(remediesOf(found)).not.toContain('upload');
    await jobEnd((await overlays.deleteOverlay({ target }, options)).jobId);
  });
});

test('a person has hidden the part that answers: look at what was read', async () => {
  const other = 'The canteen opens at eight and closes at two. '.repeat(60);
  await ingest('part', { ...fillers(5), 'hand.md': `# Handbook\n\n${other}\n\n${bonus}` });
  const target = await chunkOf('part', 'hand.md', 'bonus');
  await jobEnd((await overlays.putOverlay({ target, change: { case: 'hidden', value: true } }, options)).jobId);
  await expectFixed({ corpus: 'part', documentId: 'hand.md', query }, Verdict.BELOW_TOP_K, 'parse', async () => {
    await jobEnd((await overlays.deleteOverlay({ target }, options)).jobId);
  });
});

test('a gate holds the version with its new text: approve it', async () => {
  const others = Object.fromEntries(
    Array.from({ length: 8 }, (_, at) => [`b${at}.md`, `# Bonus ${at}\n\nThe bonus of plant ${at} is paid in May.`]),
  );
  const old = '# Pay\n\nSalaries are transferred at the end of the month.';
  await ingest('news', { ...fillers(40), ...others, 'pay.md': old });
  const { state, jobId } = await ingest('news', { ...fillers(3), ...others, 'pay.md': bonus }, true);
  expect(state).toBe(JobState.HELD);
  expect((await explain({ corpus: 'news', documentId: 'b1.md', query })).changedInVersion).toBe(0n);
  await expectFixed({ corpus: 'news', documentId: 'pay.md', query }, Verdict.BELOW_TOP_K, 'version', async (found) => {
    expect(found.changedInVersion).toBe(found.version + 1n);
    expect(remediesOf(found)[0]).toBe('version');
    await gates.approveVersion({ jobId, comment: 'new rules' }, options);
    expect((await jobEnd(jobId)).state).toBe(JobState.SUCCEEDED);
  });
});

test('the search asks for an attribute that it does not have: search without', async () => {
  await ingest('regions', { ...fillers(3), 'bonus.md': { text: bonus, attributes: { region: 'US' } } });
  const more = (value: string) => ({ filter: { attributes: [{ name: 'region', values: [value] }] } });
  const question = { corpus: 'regions', documentId: 'bonus.md', query };
  expect((await explain({ ...question, more: more('US') })).verdict).toBe(Verdict.IN_RESULT);
  await expectFixed({ ...question, more: more('EU') }, Verdict.FILTERED, 'filter', async () => ({ more: {} }));
});

test('it was saved with a wrong encoding: look at what was read, and upload it again', async () => {
  const text = '周年奖金在三月发放。';
  await ingest('damaged', { ...fillers(5), 'bonus.txt': Buffer.from(text).toString('latin1') });
  const question = { corpus: 'damaged', documentId: 'bonus.txt', query: '周年奖金什么时候发放' };
  await expectFixed(question, Verdict.BELOW_TOP_K, 'parse', async ({ chunks }) => {
    expect(chunks[0]?.matchedWords).toEqual([]);
    await ingest('damaged', { 'bonus.txt': text });
  });
});

test('it is in another language than the question: add terms', async () => {
  await ingest('language', { ...fillers(5), 'a.md': '# 周年奖金\n\n周年奖金在三月发放。' });
  await expectFixed({ corpus: 'language', documentId: 'a.md', query }, Verdict.BELOW_TOP_K, 'term', async () => {
    await addTerms('anniversary bonus', '周年奖金');
  });
});

test('it has the word of another region, in traditional characters: add a term', async () => {
  await ingest('regional', { ...fillers(5), 'a.md': '# 軟體授權\n\n向資訊處申請，三個工作日內核發。' });
  const question = { corpus: 'regional', documentId: 'a.md', query: '软件', more: { legs: [Leg.KEYWORD] } };
  // Characters alone make no difference.
  expect((await explain({ ...question, query: '软体授权' })).verdict).toBe(Verdict.IN_RESULT);
  await expectFixed(question, Verdict.NOT_FOUND, 'term', async () => {
    await addTerms('软件', '软体');
  });
});

test('a person has raised another one above it: change that', async () => {
  const text = (plant: string) => `# Bonus\n\nThe anniversary bonus of plant ${plant} is paid in March.`;
  await ingest('raised', { ...fillers(3), 'a.md': text('Bern'), 'b.md': text('Graz') });
  const question = { corpus: 'raised', query, more: { topK: 1, collapseDuplicates: false } };
  const isFirst = (await explain({ ...question, documentId: 'a.md' })).verdict === Verdict.IN_RESULT;
  const [documentId, other] = isFirst ? ['a.md', 'b.md'] : ['b.md', 'a.md'];
  const target = { ...documentTarget('raised', other), kind: OverlayKind.DOCUMENT_BOOST };
  await jobEnd((await overlays.putOverlay({ target, change: { case: 'boost', value: 1 } }, options)).jobId);
  await expectFixed({ ...question, documentId }, Verdict.BELOW_TOP_K, 'boost', async (found) => {
    expect(remediesOf(found)[0]).toBe('boost');
    await jobEnd((await overlays.deleteOverlay({ target }, options)).jobId);
  });
});

test('a curated answer is given before any search: change it', async () => {
  await ingest('curated', { ...fillers(5), 'bonus.md': bonus });
  const curated = mesh.client(CuratedAnswerService);
  const given = { corpus: 'curated', questions: [query], answer: 'Ask your manager about the bonus.' };
  const { answer } = await curated.putCuratedAnswer(given, options);
  const found = await explain({ corpus: 'curated', documentId: 'bonus.md', query });
  expect(found.verdict).toBe(Verdict.IN_RESULT);
  const inTheWay = async (question: string) =>
    (await curated.listCuratedAnswers({ question }, options)).answers.map(({ id }) => id);
  await expect.poll(() => inTheWay(`${query}?`.toUpperCase())).toEqual([answer?.id]);
  expect(await inTheWay('where is the canteen')).toEqual([]);
  expect(remediesOf(found, true)[0]).toBe('curate');
  const ask = async () =>
    (await askWhole(mesh.client(ChatService), { question: query, corpora: ['curated'] }, options)).text;
  expect(await ask()).toContain('Ask your manager');
  await curated.deleteCuratedAnswer({ id: answer?.id ?? '' }, options);
  await expect.poll(ask, { timeout: 10_000 }).toContain('March');
});
