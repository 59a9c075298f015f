import { expect, test } from 'vitest';
import type { ShortDocument, StartRetrieval } from '../testing/retrieval.ts';

/**
 * Tests readers and writers beside each other over a way to start the service. `hasReplicas`: another replica may drop a version during a
 * search, which then runs again; its legs are those of the first run, and may have missed rows.
 */
export function concurrencySuite(start: StartRetrieval, { hasReplicas = false } = {}): void {
  test('while versions are published and rolled back, every answer is of one version, and whole', async () => {
    await using retrieval = await start({ config: { keptVersions: 0 } });
    const size = 40;
    const documents = (text: string) =>
      Array.from({ length: size }, (_, index): ShortDocument => [`d${index}`, `apple of ${text}`]);
    await retrieval.build('help', 'build-0', documents('version0'));
    let isDone = false;
    let answerCount = 0;
    const askers = Array.from({ length: 4 }, async () => {
      while (!isDone) {
        const { passages, legs, fused } = await retrieval.ask('apple', { topK: 100, rerank: false });
        const texts = new Set(passages.map(({ text }) => text));
        expect(texts.size).toBe(1);
        expect(passages).toHaveLength(size);
        if (!hasReplicas) for (const { hits } of legs) expect(hits).toHaveLength(size);
        expect(new Set(passages.map(({ version }) => version))).toEqual(new Set([fused.versions[0]?.version]));
        answerCount++;
      }
    });
    for (let build = 1; build <= 6; build++)
      await retrieval.build('help', `build-${build}`, documents(`version${build}`));
    isDone = true;
    await Promise.all(askers);
    expect(answerCount).toBeGreaterThan(6);
  });

  test('writers of the same version take turns, and none of their documents is lost', async () => {
    await using retrieval = await start();
    const version = await retrieval.begin('help', 'build-1');
    await Promise.all(
      Array.from({ length: 8 }, (_, writer) =>
        retrieval.write(
          'help',
          version,
          Array.from({ length: 20 }, (_, index) => [
            `w${writer}-d${index}`,
            `apple ${index}`,
            { access: { groups: [`g${writer % 3}`] } },
          ]),
        ),
      ),
    );
    await retrieval.publish('help', version);
    const { corpora } = await retrieval.client.listCorpora({}, await retrieval.as({ groups: ['g0', 'g1', 'g2'] }));
    expect(corpora).toMatchObject([{ documentCount: 160n, chunkCount: 160n }]);
    const some = await retrieval.client.listCorpora({}, await retrieval.as({ groups: ['g0'] }));
    expect(some.corpora).toMatchObject([{ documentCount: 60n }]);
  });

  test('a writer that leaves before its turn writes nothing', async () => {
    await using retrieval = await start();
    const version = await retrieval.begin('help', 'build-1');
    const controller = new AbortController();
    const many = Array.from({ length: 300 }, (_, index): ShortDocument => [`d${index}`, `apple ${index} `.repeat(50)]);
    const first = retrieval.write('help', version, many);
    const second = retrieval.write(
      'help',
      version,
      [['late', 'apple']],
      await retrieval.as(undefined, { signal: controller.signal }),
    );
    controller.abort();
    await expect(second).rejects.toThrow('cancelled');
    await first;
    await retrieval.publish('help', version);
    const counts = await retrieval.client.countIndex({ corpus: 'help' }, await retrieval.as());
    expect(counts.documentCount).toBe(300n);
  });
}
