import { afterAll, beforeAll, expect, test } from 'vitest';
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
