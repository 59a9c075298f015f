import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { HealthFindingKind, KnowledgeHealthService } from '#gen/ragmesh/indexer/v1/knowledge_health_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startIndexerMesh } from '../../testing/indexer-mesh.ts';

test('findings of the live version are listed in pages, for those who may see every document of a finding', async () => {
  await using indexer = await startIndexerMesh();
  const health = indexer.mesh.client(KnowledgeHealthService);
  const staff = await indexer.as(testPrincipal({ groups: ['staff'] }));
  const statement = (days: number) => `# Returns\n\nYou can return every article within ${days} days.`;
  await indexer.ingest(
    {
      'a.md': statement(14),
      'b.md': statement(10),
      'closed.md': { content: statement(7), groups: ['staff'] },
      'old.md': { content: '# Old\n\nAn old page.', attributes: { valid_until: '2020-01-01' } },
    },
    { principal: testPrincipal({ groups: ['staff'] }) },
  );
  const list = async (request: object = {}, as = staff) =>
    health.listHealthFindings({ corpus: 'help', pageSize: 1, ...request }, as);
  const idsOf = async (as: typeof staff) => {
    const found: string[][] = [];
    for (let pageToken = ''; ; ) {
      const page = await list({ pageToken }, as);
      found.push(...page.findings.map(({ evidence }) => evidence.map(({ documentId }) => documentId)));
      if (page.nextPageToken === '') return found.map((ids) => ids.join('+')).sort();
      pageToken = page.nextPageToken;
    }
  };
  expect(await idsOf(staff)).toEqual(['a.md+b.md', 'a.md+closed.md', 'old.md']);
  expect(await idsOf(await indexer.as())).toEqual(['a.md+b.md', 'old.md']);
  const expired = await list({ kind: HealthFindingKind.EXPIRED });
  expect(expired).toMatchObject({ documentCount: 4n, isPartial: false, findings: [{ detail: '2020-01-01' }] });
  expect(expired.counts).toMatchObject([{ count: 2 }, { count: 1 }]);
  // Neither audit nor chat is here: what they know is not counted, and not reported as nothing.
  expect([expired.usedSince, expired.answerCount]).toEqual([undefined, 0n]);

  const ofOne = await list({ documentIds: ['closed.md'], pageSize: 10 });
  expect(ofOne.findings.map(({ evidence }) => evidence.map(({ documentId }) => documentId))).toEqual([
    ['closed.md', 'a.md'],
  ]);
  expect(ofOne.counts).toMatchObject([{ kind: HealthFindingKind.CONTRADICTION, count: 1 }]);
  expect((await list({ documentIds: ['closed.md'] }, await indexer.as())).findings).toEqual([]);

  // A page of an earlier version is refused, and a corrected document is no finding any more.
  const { nextPageToken } = await list();
  await indexer.ingest({ 'b.md': statement(14) });
  const earlier = await list({ allowEarlier: true, pageSize: 10 });
  expect(earlier.findings).toHaveLength(3);
  const stale = await list({ pageToken: nextPageToken }).catch((error: unknown) => error);
  expect(toRpcError(stale).code).toBe(Code.Aborted);
  expect(await idsOf(await indexer.as())).toEqual(['a.md+b.md', 'old.md']);
  const { findings } = await list({ kind: HealthFindingKind.CONTRADICTION }, await indexer.as());
  expect(findings).toEqual([]);

  const editor = await indexer.as(testPrincipal({ roles: [Role.EDITOR] }));
  expect(toRpcError(await list({}, editor).catch((error: unknown) => error)).code).toBe(Code.PermissionDenied);
  expect(toRpcError(await list({ corpus: 'none' }).catch((error: unknown) => error)).code).toBe(Code.NotFound);
});
