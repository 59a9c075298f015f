import { afterAll, expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { Leg, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { remediesOf } from '../../../services/console/testing/remedies.ts';
import { fillers, startSearchLab } from '../testing/search-lab.ts';

// Twelve ways in which a document is not found, each with the verdict that the search lab gives, the remedies that the console offers for
// it, and the proof that the remedy helps.

const world = await startSearchLab();
const { options, indexer, overlays, admin, gates, jobEnd, ingest, explain, expectFixed, chunkOf } = world;
afterAll(() => world.mesh.close());

const bonus = '# Bonus\n\nThe anniversary bonus is paid in March.';
const query = 'when is the anniversary bonus paid';

test('1: a user has no access: grant it', async () => {
  const question = { corpus: 'access', documentId: 'bonus.md', query, viewAs: { user: 'carl', groups: [] } };
  await ingest('access', { ...fillers(5), 'bonus.md': { text: bonus, groups: ['staff'] } });
  expect((await explain({ ...question, viewAs: { user: 'sue', groups: ['staff'] } })).verdict).toBe(Verdict.IN_RESULT);
  await expectFixed(question, Verdict.NO_ACCESS, 'grant', async ({ access }) => {
    expect(access?.groups).toEqual(['staff']);
    await ingest('access', { 'bonus.md': bonus });
  });
});

test('2: a document was never uploaded: upload it', async () => {
  await ingest('absent', fillers(5));
  await expectFixed({ corpus: 'absent', documentId: 'bonus.md', query }, Verdict.ABSENT, 'upload', async () => {
    await ingest('absent', { 'bonus.md': bonus });
  });
});

test('3: a document was deleted: upload it again', async () => {
  await ingest('deleted', { ...fillers(5), 'bonus.md': bonus });
  await indexer.deleteDocuments({ corpus: 'deleted', documentIds: ['bonus.md'] }, options);
  await expectFixed({ corpus: 'deleted', documentId: 'bonus.md', query }, Verdict.ABSENT, 'upload', async () => {
    await ingest('deleted', { 'bonus.md': bonus });
  });
});

test('4: the live version has lost it: return to the version before', async () => {
  await ingest('lost', { ...fillers(9), 'bonus.md': bonus });
  expect((await ingest('lost', fillers(9), true)).state).toBe(JobState.SUCCEEDED);
  const question = { corpus: 'lost', documentId: 'bonus.md', query };
  await expectFixed(question, Verdict.OTHER_VERSION, 'version', async ({ heldVersions, version }) => {
    expect(heldVersions.every((held) => held < version)).toBe(true);
    await admin.rollbackVersion({ corpus: 'lost', version: heldVersions[0] ?? 0n }, options);
  });
});

test('5: a gate holds the version that has it: approve it', async () => {
  await ingest('held', fillers(40));
  const { state, jobId } = await ingest('held', { ...fillers(3), 'bonus.md': bonus }, true);
  expect(state).toBe(JobState.HELD);
  const question = { corpus: 'held', documentId: 'bonus.md', query };
  await expectFixed(question, Verdict.OTHER_VERSION, 'version', async (found) => {
    expect(remediesOf(found)).toEqual(['version']);
    await gates.approveVersion({ jobId, comment: 'meant so' }, options);
    expect((await jobEnd(jobId)).state).toBe(JobState.SUCCEEDED);
  });
});

test('6: the search leaves its corpus out: search there too', async () => {
  await ingest('here', fillers(3));
  await ingest('there', { 'bonus.md': bonus });
  const question = { corpus: 'there', documentId: 'bonus.md', query, more: { corpora: ['here'] } };
  await expectFixed(question, Verdict.OTHER_CORPUS, 'corpus', async () => ({ more: { corpora: ['here', 'there'] } }));
});

test('7: a condition of the search excludes it: search without', async () => {
  await ingest('filtered', { ...fillers(3), 'bonus.md': bonus });
  const more = { filter: { languages: [Language.ZH] } };
  const question = { corpus: 'filtered', documentId: 'bonus.md', query, more };
  await expectFixed(question, Verdict.FILTERED, 'filter', async () => ({ more: {} }));
});

test('8: it has other words than the question: add a term', async () => {
  await ingest('words', { ...fillers(5), 'gratification.md': 'Gratification: thirteenth salary.' });
  const question = {
    corpus: 'words',
    documentId: 'gratification.md',
    query: 'xmasmoney',
    more: { legs: [Leg.KEYWORD] },
  };
  await expectFixed(question, Verdict.NOT_FOUND, 'term', async () => {
    const { terms } = await admin.getTerms({}, options);
    const groups = [...(terms?.groups ?? []), { terms: ['xmasmoney', 'gratification'] }];
    await admin.putTerms({ terms: { groups, protectedTerms: terms?.protectedTerms ?? [] } }, options);
  });
});

test('9: its text was read wrongly: edit it', async () => {
  await ingest('garbled', { ...fillers(5), 'scan.md': 'Th3 ann1v3rs4ry b0nus 1s p41d 1n M4rch.' });
  const question = {
    corpus: 'garbled',
    documentId: 'scan.md',
    query: 'anniversary bonus',
    more: { legs: [Leg.KEYWORD] },
  };
  await expectFixed(question, Verdict.NOT_FOUND, 'edit', async () => {
    const target = await chunkOf('garbled', 'scan.md', 'b0nus');
    const change = { case: 'text' as const, value: 'The anniversary bonus is paid in March.' };
    await jobEnd((await overlays.putOverlay({ target, change }, options)).jobId);
  });
});

test('10: too many others are better candidates: raise the limits', async () => {
  const others = Object.fromEntries(
    Array.from({ length: 12 }, (_, at) => [
      `b${at}.md`,
      `# Bonus ${at}\n\nBonus bonus bonus of year ${at}, code ${at * 7919}.`,
    ]),
  );
  const long = `The bonus. ${'We also list offices, canteens, parking lots and phone numbers. '.repeat(4)}`;
  await ingest('many', { ...others, 'long.md': long });
  const question = {
    corpus: 'many',
    documentId: 'long.md',
    query: 'bonus',
    more: { legs: [Leg.KEYWORD], candidates: 3 },
  };
  await expectFixed(question, Verdict.BELOW_CANDIDATES, 'limits', async ({ candidateLimit }) => {
    expect(candidateLimit).toBe(3);
    return { more: { legs: [Leg.KEYWORD], candidates: 200, topK: 50, collapseDuplicates: false } };
  });
});

test('11: a near-duplicate represents it: hide the other', async () => {
  const text = 'The anniversary bonus is paid in March to all who have been here for ten years or more.';
  await ingest('twice', { ...fillers(5), 'a.md': text, 'b.md': `${text} ` });
  const question = { corpus: 'twice', query: 'anniversary bonus paid in March' };
  const verdicts = await Promise.all(
    ['a.md', 'b.md'].map(async (documentId) => ({ documentId, ...(await explain({ ...question, documentId })) })),
  );
  const lost = verdicts.find(({ verdict }) => verdict === Verdict.DUPLICATE)?.documentId ?? '';
  const kept = lost === 'a.md' ? 'b.md' : 'a.md';
  await expectFixed({ ...question, documentId: lost }, Verdict.DUPLICATE, 'duplicate', async ({ chunks }) => {
    expect(chunks[0]?.duplicateOf).toContain(kept);
    const target = { corpus: 'twice', documentId: kept, kind: OverlayKind.DOCUMENT, contentHash: '' };
    await jobEnd((await overlays.putOverlay({ target, change: { case: 'hidden', value: true } }, options)).jobId);
  });
});

test('12: others rank higher: edit its text', async () => {
  const others = Object.fromEntries(
    Array.from({ length: 4 }, (_, at) => [
      `p${at}.md`,
      `# Parking permit ${at}\n\nA parking permit for lot ${at} costs ${at + 5} euros.`,
    ]),
  );
  await ingest('ranked', { ...others, 'rules.md': 'General rules. Ask the desk about a permit.' });
  const question = {
    corpus: 'ranked',
    documentId: 'rules.md',
    query: 'parking permit for visitors',
    more: { topK: 1 },
  };
  await expectFixed(question, Verdict.BELOW_TOP_K, 'edit', async () => {
    const target = await chunkOf('ranked', 'rules.md', 'General');
    const change = { case: 'text' as const, value: 'A parking permit for visitors: ask the desk.' };
    await jobEnd((await overlays.putOverlay({ target, change }, options)).jobId);
  });
});
