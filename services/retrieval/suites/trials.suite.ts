import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import type { RetrievalMesh, StartRetrieval } from '../testing/retrieval.ts';

/** Tests versions on trial over a way to start the service. `hasReplicas`: calls go to several processes, of which each has a queue of its own. */
export function trialSuite(start: StartRetrieval, { hasReplicas = false } = {}): void {
  let retrieval: RetrievalMesh;
  let corpus = '';
  let count = 0;
  beforeAll(async () => {
    retrieval = await start();
  });
  afterAll(() => retrieval.close());
  beforeEach(() => {
    corpus = `help-${++count}`;
  });

  /** Builds a live version, and another one on it that is not published. Returns both. */
  async function twoVersions() {
    const live = await retrieval.build(corpus, 'build-1', [
      ['plan', 'apple plan'],
      ['price', 'apple price'],
    ]);
    const candidate = await retrieval.begin(corpus, 'build-2');
    await retrieval.write(corpus, candidate, [
      ['plan', 'apple plan of next year'],
      ['secret', 'apple secret', { access: { groups: ['staff'] } }],
    ]);
    const options = await retrieval.as();
    await retrieval.client.removeDocuments({ corpus, version: candidate, documentIds: ['price'] }, options);
    return { live, candidate };
  }

  const put = async (version: bigint, canaryPercent: number, shadowPercent = 0) =>
    retrieval.client.putTrial({ corpus, version, canaryPercent, shadowPercent }, await retrieval.as());
  const trialOf = async () => (await retrieval.client.getTrial({ corpus }, await retrieval.as())).trial;
  const reader = (groups: string[] = []) => retrieval.as({ roles: [Role.READER], groups });
  const askAs = async (groups: string[], version?: bigint) => {
    const named = version === undefined ? {} : { trialVersions: [{ corpus, version }] };
    const { documentIds, fused, passages } = await retrieval.ask(
      'apple',
      { corpora: [corpus], ...named },
      await reader(groups),
    );
    expect(passages.every((passage) => passage.version === fused.versions[0]?.version)).toBe(true);
    return { ids: documentIds.sort(), version: fused.versions[0]?.version };
  };
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => toRpcError(error).code,
    );

  test('readers whose session is assigned to it search the version on trial, by its access lists, and others the live one', async () => {
    const { live, candidate } = await twoVersions();
    await put(candidate, 10);
    const listed = async () => {
      const { corpora } = await retrieval.client.listCorpora({}, await reader());
      return corpora.find(({ name }) => name === corpus);
    };
    expect(await listed()).toMatchObject({ liveVersion: live, trial: { version: candidate, canaryPercent: 10 } });
    expect(await askAs([])).toEqual({ ids: ['plan', 'price'], version: live });
    expect(await askAs([], candidate)).toEqual({ ids: ['plan'], version: candidate });
    expect(await askAs(['staff'], candidate)).toEqual({ ids: ['plan', 'secret'], version: candidate });
    expect(await askAs(['staff'])).toEqual({ ids: ['plan', 'price'], version: live });

    // What answers of both versions cite can be read, in the order that was asked for.
    const chunkIds = ['secret#0', 'price#0', 'plan#0'];
    const read = async (groups: string[]) =>
      (await retrieval.client.getPassages({ chunkIds }, await reader(groups))).passages.map(
        ({ chunkId, version }) => `${chunkId} ${version}`,
      );
    expect(await read(['staff'])).toEqual([`secret#0 ${candidate}`, `price#0 ${live}`, `plan#0 ${live}`]);
    expect(await read([])).toEqual([`price#0 ${live}`, `plan#0 ${live}`]);

    // A deletion holds in both.
    await retrieval.client.purgeDocuments({ corpus, documentIds: ['plan'] }, await retrieval.as());
    expect([await askAs([]), await askAs(['staff'], candidate)].map(({ ids }) => ids)).toEqual([['price'], ['secret']]);

    // One call ends it.
    const before = (await listed())?.revision;
    await put(candidate, 0);
    expect(await askAs(['staff'], candidate)).toEqual({ ids: ['price'], version: live });
    expect((await listed())?.trial).toBeUndefined();
    expect((await listed())?.revision).not.toBe(before);
  });

  test('a version that is on trial only in the shadow answers no reader', async () => {
    const { live, candidate } = await twoVersions();
    await put(candidate, 0, 100);
    expect((await askAs(['staff'], candidate)).version).toBe(live);
    const { passages } = await retrieval.client.getPassages({ chunkIds: ['secret#0'] }, await reader(['staff']));
    expect(passages).toEqual([]);
  });

  test('shadow searches are compared with those of the live version, with the rights of their caller', async () => {
    const { candidate } = await twoVersions();
    await retrieval.write(corpus, candidate, [['price', 'apple price']]);
    await put(candidate, 0, 100);
    await askAs([]);
    await expect.poll(async () => (await trialOf())?.shadow?.comparedCount, { timeout: 20_000 }).toBe(1n);
    // Both have the price, and the other one a changed plan.
    expect(await trialOf()).toMatchObject({
      version: candidate,
      shadowPercent: 100,
      shadow: { sameCount: 0n, meanOverlap: 0.5, failedCount: 0n, droppedCount: 0n, onlyLiveCount: 0n },
    });
  });

  test.skipIf(hasReplicas)(
    'a shadow search that hangs or fails delays no answer, and those that wait for it are bounded',
    async () => {
      const { candidate } = await twoVersions();
      await put(candidate, 0, 100);
      const hanging = Promise.withResolvers<void>();
      let embedCount = 0;
      retrieval.standIns.beforeEmbed = () => (++embedCount === 2 ? hanging.promise : Promise.resolve());
      await askAs([]);
      await expect.poll(() => embedCount, { timeout: 20_000 }).toBe(2);
      for (let asked = 0; asked < 18; asked++) await askAs([]);
      expect((await trialOf())?.shadow).toMatchObject({ comparedCount: 0n, failedCount: 0n, droppedCount: 2n });
      hanging.reject(new Error('the model is away'));
      await expect.poll(async () => (await trialOf())?.shadow?.comparedCount, { timeout: 20_000 }).toBe(16n);
      expect((await trialOf())?.shadow).toMatchObject({ failedCount: 1n, droppedCount: 2n });
      retrieval.standIns.beforeEmbed = async () => {};
    },
  );

  test('a trial ends with the publish of its version, and when another version is live', async () => {
    const { live, candidate } = await twoVersions();
    await put(candidate, 50);
    await retrieval.publish(corpus, candidate);
    expect(await trialOf()).toBeUndefined();
    expect(await codeOf(put(candidate, 50))).toBe(Code.FailedPrecondition);

    const next = await retrieval.begin(corpus, 'build-3');
    await put(next, 50);
    await retrieval.client.rollbackVersion({ corpus, version: live }, await retrieval.as());
    expect(await trialOf()).toBeUndefined();
    expect((await askAs([], next)).version).toBe(live);
    expect(await codeOf(put(next, 50))).toBe(Code.FailedPrecondition);
    await retrieval.client.abandonVersion({ corpus, version: next }, await retrieval.as());
    expect(await codeOf(put(next, 50))).toBe(Code.NotFound);
  });

  test('a change of the shares keeps what was found; only services change them', async () => {
    const { candidate } = await twoVersions();
    await put(candidate, 0, 100);
    await askAs([]);
    await expect.poll(async () => (await trialOf())?.shadow?.comparedCount, { timeout: 20_000 }).toBe(1n);
    const startedAt = (await trialOf())?.startedAt;
    await put(candidate, 5, 0);
    expect(await trialOf()).toMatchObject({
      canaryPercent: 5,
      shadowPercent: 0,
      startedAt,
      shadow: { comparedCount: 1n },
    });
    const request = { corpus, version: candidate, canaryPercent: 100 };
    const asOperator = await retrieval.as({ roles: [Role.READER, Role.OPERATOR] });
    expect(await codeOf(retrieval.client.putTrial(request, asOperator))).toBe(Code.PermissionDenied);
  });
}
