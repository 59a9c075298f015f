import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unavailable } from '#kit/base/errors.ts';
import { createLogger } from '#kit/base/log.ts';
import { createMetrics } from '#kit/base/metrics/metrics.ts';
import { adapter } from '../adapters/semantic-store/sqlite.ts';
import { createCacheMetrics } from '../metrics.ts';
import { keyOf } from '../suites/semantic-store.suite.ts';
import { syntheticPairs, testEmbedding, testVector } from '../testing/semantic.ts';
import { calibrate } from './calibration/calibrate.ts';
import { type Calibration, calibrationFile, writeCalibration } from './calibration/calibration.ts';
import { openSemanticLayer } from './index.ts';
import type { SemanticLayer } from './layer.ts';
import type { SemanticStore } from './semantic-store.ts';
import { openShadow, type ShadowAnswer, saysTheSame } from './shadow.ts';

const { signal } = new AbortController();
let root: string;
let calibration: Calibration;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'ragmesh-semantic-layer-'));
  const embed = async (texts: readonly string[]) => texts.map((text) => testVector(text));
  calibration = await calibrate(
    { pairs: syntheticPairs(3000), source: 'x', embed, embedding: testEmbedding, nowMs: 1 },
    signal,
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const log = createLogger('silent');

/** A layer over a folder; what the model is and how it and the store behave can change under it. */
async function open(folder = mkdtempSync(join(root, 'data-')), init: { shadowShare?: number } = {}) {
  const metrics = createCacheMetrics(createMetrics());
  const model = { name: testEmbedding.model, embedCount: 0, wait: undefined as Promise<void> | undefined };
  let failing = false;
  const setFailing = (value: boolean) => {
    failing = value;
  };
  const opened = await openSemanticLayer({
    folder,
    timeoutMs: 2000,
    ...init,
    clock: () => 1_000_000,
    random: () => 0.005,
    log,
    metrics,
    async embed(question) {
      model.embedCount++;
      await model.wait;
      return { model: model.name, vector: testVector(question) };
    },
    async openStore({ model: embeddingModel, dimensions }) {
      const store = await adapter.create(
        {},
        {
          folder,
          clock: () => 1_000_000,
          random: Math.random,
          log,
          maxPerScope: 50,
          maxPerTenant: 500,
          dimensions,
          embeddingModel,
        },
      );
      const search: SemanticStore['search'] = (query, end) =>
        failing ? Promise.reject(unavailable('semantic store', 'away')) : store.search(query, end);
      return { ...store, search };
    },
  });
  const metric = async (name: string) =>
    (await metrics.registry.getSingleMetricAsString(name)).split('\n').filter((line) => !line.startsWith('#'));
  return { ...opened, folder, model, metric, setFailing };
}

async function openCalibrated(init: { shadowShare?: number } = {}, folder = mkdtempSync(join(root, 'data-'))) {
  await writeCalibration(join(folder, calibrationFile), calibration);
  const opened = await open(folder, init);
  if (opened.layer === undefined) throw new Error(opened.off);
  return { ...opened, layer: opened.layer };
}

const query = (question: string, init: { tenant?: string; scopeKey?: string } = {}) => ({
  tenant: 'acme',
  scopeKey: 's1',
  question,
  ...init,
});
const remember = (
  layer: SemanticLayer,
  question: string,
  number: number,
  init: { tenant?: string; scopeKey?: string; documentIds?: string[] } = {},
) =>
  layer.remember(
    { ...query(question, init), key: keyOf(number), documentIds: init.documentIds ?? [], expiresAtMs: 2_000_000 },
    signal,
  );

describe('the semantic layer', () => {
  let opened: Awaited<ReturnType<typeof openCalibrated>>;
  let layer: SemanticLayer;
  beforeEach(async () => {
    opened = await openCalibrated();
    layer = opened.layer;
    return () => layer.close();
  });

  test('finds the answer to a question of the same meaning', async () => {
    expect(await remember(layer, '怎么申请退货', 1)).toBe(true);
    const found = await layer.find(query('请问如何申请退货？'), signal);
    expect(found).toMatchObject({ kind: 'hit', key: keyOf(1) });
    expect(found).toHaveProperty(
      'score',
      expect.toSatisfy((value: number) => value >= (calibration.threshold as number)),
    );
  });

  test('reports why a candidate was not served', async () => {
    await remember(layer, '怎么申请退货', 1);
    const found = await layer.find(query('怎么申请换货'), signal);
    expect(found).toMatchObject({
      kind: 'miss',
      reason: 'refused',
      considered: [{ key: keyOf(1), refusedBy: 'domain' }],
    });
    await layer.find(query('怎么不能申请退货'), signal);
    const refused = await opened.metric('ai_cache_semantic_refused_total');
    for (const guard of ['domain', 'negation'])
      expect(refused).toContain(`ai_cache_semantic_refused_total{guard="${guard}"} 1`);
  });

  test('finds which of given questions means the same, and none while it is off', async () => {
    const candidates = ['怎么申请换货', '怎么取消订单', '怎么申请退货'];
    expect(await layer.match('请问如何申请退货？', candidates, signal)).toMatchObject({ index: 2 });
    expect(await layer.match('怎么申请开发票', candidates, signal)).toBeUndefined();
    expect(await layer.match('如何申请退货7天', candidates, signal)).toBeUndefined();
    opened.model.name = 'another model';
    expect(await layer.match('请问如何申请退货？', candidates, signal)).toBeUndefined();
  });

  test('nothing crosses a tenant or a scope', async () => {
    const questions = ['怎么申请退货', '如何申请退货', '怎么取消订单'];
    const place = fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), scopeKey: fc.constantFrom('s1', 's2') });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ place, question: fc.constantFrom(...questions) }), { maxLength: 6 }),
        place,
        async (entries, asked) => {
          for (const tenant of ['a', 'b', 'c']) await layer.forget(tenant, { kind: 'all' }, signal);
          const owned = new Map<string, (typeof entries)[number]>();
          for (const entry of entries) {
            owned.set(keyOf(++number), entry);
            await remember(layer, entry.question, number, entry.place);
          }
          const found = await layer.find(query('请问怎么申请退货', asked), signal);
          if (found.kind === 'hit') expect(owned.get(found.key)?.place).toEqual(asked);
          else
            expect(
              entries.some(
                ({ place: at, question }) =>
                  question.includes('退货') && at.tenant === asked.tenant && at.scopeKey === asked.scopeKey,
              ),
            ).toBe(false);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a deleted document takes its questions with it', async () => {
    await remember(layer, '怎么申请退货', 1, { documentIds: ['d1'] });
    await layer.forget('acme', { kind: 'document', documentId: 'd1' }, signal);
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'miss', reason: 'empty' });
  });

  test('a miss hands over its vector, so that remembering embeds no more', async () => {
    const found = await layer.find(query('怎么申请退货'), signal);
    expect(found).toMatchObject({ kind: 'miss', reason: 'empty' });
    if (found.kind === 'miss') {
      await layer.remember(
        { ...query('怎么申请退货'), key: keyOf(1), documentIds: [], expiresAtMs: 2_000_000, vector: found.vector },
        signal,
      );
    }
    expect(opened.model.embedCount).toBe(1);
    expect(await layer.find(query('怎么申请退货呢'), signal)).toMatchObject({ kind: 'hit' });
  });

  test('a language without calibration is not served, and costs no embedding', async () => {
    expect(await remember(layer, 'How do I return it?', 1)).toBe(false);
    expect(await layer.find(query('how do I return it'), signal)).toMatchObject({
      kind: 'miss',
      reason: 'not_covered',
    });
    expect(opened.model.embedCount).toBe(0);
  });

  test('a store that fails, and an embedding that hangs, are misses; a caller that leaves is released', async () => {
    await remember(layer, '怎么申请退货', 1);
    opened.setFailing(true);
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'miss', reason: 'failed' });
    opened.setFailing(false);
    const { promise, resolve } = Promise.withResolvers<void>();
    opened.model.wait = promise;
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'miss', reason: 'late' });
    const caller = new AbortController();
    const left = layer.find(query('如何申请退货'), caller.signal);
    caller.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    resolve();
  });

  test('another embedding model turns it off, and the calibrated one on again', async () => {
    await remember(layer, '怎么申请退货', 1);
    opened.model.name = 'other';
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({
      kind: 'miss',
      reason: 'off',
      detail: expect.stringContaining('other'),
    });
    expect(await remember(layer, '怎么取消订单', 2)).toBe(false);
    expect(await opened.metric('ai_cache_semantic_off')).toEqual(['ai_cache_semantic_off 1']);
    opened.model.name = testEmbedding.model;
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'hit' });
    expect(await opened.metric('ai_cache_semantic_off')).toEqual(['ai_cache_semantic_off 0']);
  });
});

describe('without a calibration', () => {
  test('there is no layer, and it says what to do', async () => {
    expect((await open()).off).toContain('npm run cache:calibrate');
  });

  test('nor with one that found no threshold, or that is broken', async () => {
    const folder = mkdtempSync(join(root, 'data-'));
    await writeCalibration(join(folder, calibrationFile), { ...calibration, threshold: null });
    expect((await open(folder)).off).toContain('no threshold');
    writeFileSync(join(folder, calibrationFile), '{');
    expect((await open(folder)).off).toContain('not JSON');
  });
});

const answer = (text: string, init: Partial<ShadowAnswer> = {}): ShadowAnswer => ({
  text,
  documentIds: ['d1'],
  isRefusal: false,
  ...init,
});
const right = answer('签收后7天内可以申请退货，在我的订单中提交申请。');
const reworded = answer('在签收后的7天内，您可以在“我的订单”提交退货申请。');
const wrong = answer('积分每年12月31日清零，会员等级不变。', { documentIds: ['d2'] });

describe('the shadow', () => {
  test.each<[boolean, string, ShadowAnswer, ShadowAnswer]>([
    [true, 'the same words', right, right],
    [true, 'other words about a document that both cite', right, reworded],
    [false, 'another answer from another document', right, wrong],
    [false, 'the same words with another number', right, answer(right.text.replace('7', '30'))],
    [false, 'an answer and a refusal', right, answer('', { isRefusal: true })],
    [true, 'two refusals', answer('没有找到', { isRefusal: true }), answer('no evidence', { isRefusal: true })],
  ])('says %s of %s', (isSame, _name, served, regenerated) => {
    expect(saysTheSame(served, regenerated)).toBe(isSame);
    expect(saysTheSame(regenerated, served)).toBe(isSame);
  });

  test('takes its share of hits', async () => {
    const { layer } = await openCalibrated();
    await remember(layer, '怎么申请退货', 1);
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'hit', isSampled: true });
    await layer.close();
    const rarely = await openCalibrated({ shadowShare: 0.001 });
    await remember(rarely.layer, '怎么申请退货', 1);
    expect(await rarely.layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'hit', isSampled: false });
    await rarely.layer.close();
  });

  test('one wrong hit turns nothing off; many do, permanently, until another calibration', async () => {
    const { layer, folder, metric } = await openCalibrated();
    await remember(layer, '怎么申请退货', 1);
    expect(await layer.compare(right, wrong)).toBe('wrong');
    expect(await layer.compare(right, reworded)).toBe('same');
    expect(layer.stats()).toMatchObject({ off: undefined, comparedCount: 2, wrongCount: 1, falseHits: { rate: 0.5 } });
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'hit' });
    for (let count = 0; count < 6; count++) await layer.compare(right, wrong);
    expect(await layer.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'miss', reason: 'off' });
    expect(layer.stats().off).toMatch(/7 were wrong: calibrate again/);
    expect(await metric('ai_cache_semantic_off')).toEqual(['ai_cache_semantic_off 1']);
    expect(await metric('ai_cache_semantic_shadow_total')).toContain(
      'ai_cache_semantic_shadow_total{verdict="wrong"} 7',
    );
    await layer.close();

    const restarted = await open(folder);
    expect(await restarted.layer?.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'miss', reason: 'off' });
    await restarted.layer?.close();
    await writeCalibration(join(folder, calibrationFile), { ...calibration, id: 'another' });
    const again = await open(folder);
    expect(await again.layer?.find(query('如何申请退货'), signal)).toMatchObject({ kind: 'hit' });
    await again.layer?.close();
  });

  test('a count that cannot be read keeps the layer off', async () => {
    const folder = mkdtempSync(join(root, 'data-'));
    writeFileSync(join(folder, 'semantic-shadow.json'), `{"calibrationId":"${calibration.id}"`);
    const { layer } = await openCalibrated({}, folder);
    expect(layer.stats().off).toContain('cannot be read');
    await layer.close();
  });

  test('a layer within its budget stays on, and one far past it is turned off soon', async () => {
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const runs = async (rate: number, count: number) => {
      const shadow = openShadow(join(mkdtempSync(join(root, 'shadow-')), 's.json'), 'id', 0.05, () => 1);
      for (let index = 1; index <= count; index++) {
        if (await shadow.record(random() < rate)) return index;
      }
      return undefined;
    };
    for (let run = 0; run < 5; run++) expect(await runs(0.02, 100)).toBeUndefined();
    for (let run = 0; run < 5; run++) expect(await runs(0.4, 100)).toBeLessThan(60);
  });

  test('what was counted is on disk when a comparison resolves', async () => {
    const path = join(mkdtempSync(join(root, 'shadow-')), 's.json');
    const shadow = openShadow(path, 'id', 0.05, () => 1);
    await Promise.all([shadow.record(true), shadow.record(false), shadow.record(false)]);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ comparedCount: 3, wrongCount: 1, offAtMs: null });
    expect(openShadow(path, 'id', 0.05, () => 1).state).toEqual(shadow.state);
  });
});
