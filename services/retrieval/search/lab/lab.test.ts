import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChangeAction, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { Leg, Verdict } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { failureOf, type RetrievalMesh, startRetrieval } from '../../testing/retrieval.ts';

let retrieval: RetrievalMesh;
const entries: { entry: RecordRequest; user: string }[] = [];
const operator = { user: 'olga', roles: [Role.READER, Role.OPERATOR], groups: ['staff', 'sales'] };
const groupNames = ['staff', 'sales', 'board', 'legal'];

beforeAll(async () => {
  retrieval = await startRetrieval({ config: { candidates: 20, rerankCandidates: 5, keptVersions: 3 } });
  retrieval.standIns.onRecord = (entry, user) => entries.push({ entry, user });
  await retrieval.build('help', 'build-1', [
    ['open', 'apple pear plum for everyone'],
    ['moved', 'apple pear plum as it was'],
    ...groupNames.map((group): [string, string, object] => [
      group,
      `apple ${group} pear`,
      { access: { groups: [group] } },
    ]),
  ]);
  const version = await retrieval.begin('help', 'build-2');
  await retrieval.client.removeDocuments({ corpus: 'help', version, documentIds: ['moved'] }, await retrieval.as());
  await retrieval.publish('help', version);
  await retrieval.build('board-only', 'build-1', [['plan', 'apple plan', { access: { groups: ['board'] } }]]);
});
afterAll(() => retrieval.close());

const search = { query: 'apple pear', topK: 3, corpora: ['help'], collapseDuplicates: false };
const run = async (
  viewAs?: { user: string; groups?: string[]; reason?: string },
  more: object = {},
  who: object = operator,
) => retrieval.client.runSearch({ search: { ...search, ...more }, ...(viewAs && { viewAs }) }, await retrieval.as(who));
const explain = async (documentId: string, viewAs?: { user: string; groups?: string[] }, more: object = {}) =>
  retrieval.client.explainDocument(
    { search: { ...search, ...more }, corpus: 'help', documentId, ...(viewAs && { viewAs }) },
    await retrieval.as(operator),
  );

describe('a search in the lab', () => {
  test('has the same result as the search of the caller, with every stage beside it', async () => {
    const found = await run();
    const { documentIds } = await retrieval.ask(
      'apple pear',
      { topK: 3, corpora: ['help'] },
      await retrieval.as(operator),
    );
    const result = found.candidates.filter(({ rank }) => rank > 0);
    expect(result.map(({ documentId }) => documentId)).toEqual(documentIds);
    expect(result.map(({ rank }) => rank)).toEqual([1, 2, 3]);
    for (const { legs, fusedRank, rerankRank, title, text, corpus } of result) {
      expect(legs.map(({ leg }) => leg).toSorted()).toEqual([Leg.VECTOR, Leg.KEYWORD]);
      expect(Math.min(fusedRank, rerankRank, title.length, text.length)).toBeGreaterThan(0);
      expect(corpus).toBe('help');
    }
    expect(found).toMatchObject({ topK: 3, rerankModel: 'shared-words', versions: [{ corpus: 'help', version: 2n }] });
    expect(found.legs.map(({ candidateCount }) => candidateCount)).toEqual([3, 3]);
  });

  test('of a version that is still kept finds what it held', async () => {
    const ids = async (version: bigint) =>
      (await run(undefined, { versions: [{ corpus: 'help', version }] })).candidates.map(
        ({ documentId }) => documentId,
      );
    expect(await ids(1n)).toContain('moved');
    expect(await ids(2n)).not.toContain('moved');
    expect(
      ConnectError.from(await failureOf(run(undefined, { versions: [{ corpus: 'help', version: 9n }] }))).code,
    ).toBe(Code.NotFound);
    const unpublished = await retrieval.begin('help', 'build-3');
    expect(
      ConnectError.from(await failureOf(run(undefined, { versions: [{ corpus: 'help', version: unpublished }] }))).code,
    ).toBe(Code.NotFound);
  });
});

describe('a view as another principal', () => {
  test('finds what its groups may see, and is in the audit with the caller, the groups and the reason', async () => {
    entries.length = 0;
    const found = await run({ user: 'carl', groups: ['sales'], reason: 'ticket 7' });
    expect(new Set(found.candidates.map(({ documentId }) => documentId))).toEqual(new Set(['open', 'sales']));
    expect(entries).toMatchObject([
      { user: 'olga', entry: { change: { action: ChangeAction.VIEWED_AS, resource: 'carl', reason: 'ticket 7' } } },
    ]);
    expect(JSON.parse(entries[0]?.entry.change?.detailJson ?? '')).toEqual({ groups: ['sales'], corpora: ['help'] });
    await run();
    expect(entries).toHaveLength(1);
  });

  test('never shows what the caller may not see, whatever groups it names', async () => {
    const visible = new Set((await run(undefined, { topK: 50 })).candidates.map(({ documentId }) => documentId));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.constantFrom(...groupNames, '*', 'staff,sales')), async (groups) => {
        const found = await run({ user: 'carl', groups }, { topK: 50, corpora: [] });
        for (const { documentId } of found.candidates) expect(visible).toContain(documentId);
        expect(found.groupsLeftOut).toEqual(groups.filter((group) => !operator.groups.includes(group)));
      }),
      { numRuns: 30 },
    );
  });

  test('explains a document that it may not see with its access list', async () => {
    expect((await explain('sales', { user: 'carl' })).explanation).toMatchObject({
      verdict: Verdict.NO_ACCESS,
      access: { groups: ['sales'] },
      chunks: [],
    });
    expect((await explain('sales', { user: 'carl', groups: ['sales'] })).explanation?.verdict).toBe(Verdict.IN_RESULT);
    const hidden = await explain('board', { user: 'bea', groups: ['board'] });
    expect(hidden).toMatchObject({ groupsLeftOut: ['board'], explanation: { verdict: Verdict.NO_ACCESS, chunks: [] } });
  });

  test('ends without a result if the audit does not take its entry', async () => {
    const { onRecord } = retrieval.standIns;
    retrieval.standIns.onRecord = () => {
      throw unavailable('audit', 'away');
    };
    expect(ConnectError.from(await failureOf(run({ user: 'carl' }))).code).toBe(Code.Unavailable);
    retrieval.standIns.onRecord = onRecord;
  });

  test('is for operators who are readers', async () => {
    for (const roles of [[Role.READER], [Role.EDITOR, Role.AUDITOR], [Role.OPERATOR]]) {
      const failure = ConnectError.from(await failureOf(run({ user: 'carl' }, {}, { ...operator, roles })));
      expect(failure.code).toBe(Code.PermissionDenied);
    }
  });
});
