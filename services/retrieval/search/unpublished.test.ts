import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type RetrievalMesh, startRetrieval } from '../testing/retrieval.ts';

let retrieval: RetrievalMesh;
beforeAll(async () => {
  retrieval = await startRetrieval();
});
afterAll(() => retrieval.close());

test('a version that is not live is searched by the access lists that it will have', async () => {
  const staff = { access: { groups: ['staff'] } };
  await retrieval.build('help', 'build-1', [['plan', 'apple plan']]);
  const version = await retrieval.begin('help', 'build-2');
  await retrieval.write('help', version, [['plan', 'apple plan', staff]]);
  const idsOf = async (groups: string[]) => {
    const options = await retrieval.as({ groups, roles: [Role.SERVICE, Role.READER] });
    const { fused, documentIds } = await retrieval.ask(
      'apple',
      {
        corpora: ['help'],
        versions: [{ corpus: 'help', version }],
        filter: { documentIds: ['plan'] },
        rerank: false,
        waitForStages: true,
        topK: 3,
      },
      options,
    );
    expect(fused.degradations).toEqual([]);
    return documentIds;
  };
  expect([await idsOf(['staff']), await idsOf([])]).toEqual([['plan'], []]);
});

test('a search of a tenant that has published nothing yet says so, and one of a version that is being built does not', async () => {
  const options = await retrieval.as({ tenant: 'newcomer' });
  const { fused, passages } = await retrieval.ask('apple', {}, options);
  expect(passages).toEqual([]);
  expect(fused.degradations).toMatchObject([
    { stage: Stage.RETRIEVE, reason: expect.stringContaining('is published yet') },
  ]);
  await retrieval.build('help', 'build-3', [['plan', 'apple plan']], options);
  const later = await retrieval.ask('apple', {}, options);
  expect(later.fused.degradations).toEqual([]);
  // Another corpus of the tenant has its first version still to come.
  await retrieval.begin('news', 'build-1', options);
  const ofNews = await retrieval.ask('apple', { corpora: ['news'] }, options);
  expect(ofNews.fused.degradations).toMatchObject([{ stage: Stage.RETRIEVE }]);
  expect((await retrieval.ask('apple', { corpora: ['help', 'news'] }, options)).fused.degradations).toEqual([]);
});

test('operators search published versions that are not live, and no other caller does', async () => {
  const first = await retrieval.build('old', 'build-1', [
    ['first', 'apple plan'],
    ['closed', 'apple plan of the board'],
  ]);
  const closed = { access: { groups: ['board'] } };
  await retrieval.build('old', 'build-2', [
    ['second', 'apple plan'],
    ['closed', 'apple plan of the board', closed],
  ]);
  const unpublished = await retrieval.begin('old', 'build-3');
  const ask = async (roles: Role[], version: bigint) => {
    const options = await retrieval.as({ roles });
    const request = { corpora: ['old'], versions: [{ corpus: 'old', version }] };
    const { documentIds } = await retrieval.ask('apple', request, options);
    return documentIds;
  };
  // By the access list that the document has now.
  expect(await ask([Role.READER, Role.OPERATOR], first)).toEqual(['first']);
  await expect(ask([Role.READER, Role.OPERATOR], unpublished)).rejects.toThrow('version');
  await expect(ask([Role.READER], first)).rejects.toThrow('only operators search a version that is not live');
});
