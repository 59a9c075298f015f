import { describe, expect, test } from 'vitest';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { onPostgres } from '#kit/testing/on-postgres.ts';
import { evaluation } from './index.ts';
import { createSearch } from './testing/stand-ins.ts';

await onPostgres(16, async (server) => {
  await import('./service.test.ts');

  describe('replicas', () => {
    test('replace one data set concurrently: it is whole, and the runs of each are listed by both', async () => {
      const config = { storage: { database: await server.createDatabase() } };
      const start = () => startTestMesh([createSearch().retrieval, evaluation], { config });
      await using a = await start();
      await using b = await start();
      const replicas = await Promise.all(
        [a, b].map(async (mesh) => ({ client: mesh.client(EvaluationService), options: await mesh.as() })),
      );
      const put = (replica: (typeof replicas)[number], count: number) =>
        replica.client.putDataSet(
          (async function* () {
            const judgements = [{ documentId: 'a', grade: 1 }];
            const queries = Array.from({ length: count }, (_, index) => ({
              queryId: `${index}`,
              text: 'a',
              judgements,
            }));
            yield { dataSet: 'set', queries };
          })(),
          replica.options,
        );
      const counts = Array.from({ length: 8 }, (_, index) => 20 + index);
      await Promise.all(counts.map((count, index) => put(replicas[index % 2] as (typeof replicas)[number], count)));
      for (const { client, options } of replicas) {
        for await (const { event } of client.runEvaluation({ dataSet: 'set' }, options)) {
          if (event.case === 'run') expect(counts).toContain(event.value.queryCount);
        }
      }
      for (const { client, options } of replicas) {
        expect((await client.listRuns({}, options)).runs).toHaveLength(2);
      }
    });
  });
});
