import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { startIndexerMesh } from '../testing/indexer-mesh.ts';

test('a list of documents has those that match the filter and that the caller may see', async () => {
  await using mesh = await startIndexerMesh();
  const staff = testPrincipal({ groups: ['staff'] });
  await mesh.ingest(
    {
      'open.md': { content: '# Opening hours of the shop', attributes: { owner: 'Li', review_at: '2026-03-01' } },
      'closed.md': { content: '# Refund limits of the staff', groups: ['staff'], attributes: { owner: 'li' } },
      'late.md': { content: '# 门店营业时间与节假日安排说明', attributes: { review_at: '2026-03-02' } },
      'odd.md': { content: '# A page with an odd day', attributes: { review_at: '1 March' } },
    },
    { corpus: 'filtered', principal: staff },
  );
  const list = async (filter: object, principal = staff) => {
    const request = { corpus: 'filtered', filter };
    const { documents } = await mesh.client.listDocuments(request, await mesh.as(principal));
    return documents.map(({ documentId }) => documentId);
  };
  expect(await list({})).toHaveLength(4);
  expect(await list({ owner: 'LI' })).toEqual(['closed.md', 'open.md']);
  expect(await list({ owner: 'LI' }, testPrincipal())).toEqual(['open.md']);
  expect(await list({ group: 'staff' })).toEqual(['closed.md']);
  expect(await list({ group: 'staff' }, testPrincipal())).toEqual([]);
  expect(await list({ group: '*', owner: 'li' })).toEqual(['open.md']);
  expect(await list({ language: Language.ZH })).toEqual(['late.md']);
  expect(await list({ reviewBy: '2026-03-01' })).toEqual(['open.md']);
  expect(await list({ reviewBy: '2026-03-02' })).toEqual(['late.md', 'open.md']);
  const asked = mesh.client.listDocuments({ corpus: 'filtered', filter: { reviewBy: 'soon' } }, await mesh.as());
  expect(toRpcError(await asked.catch((error: unknown) => error)).code).toBe(Code.InvalidArgument);
});
