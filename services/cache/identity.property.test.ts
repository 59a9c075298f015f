import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { visibleGroups } from '#kit/access.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing.ts';
import { cache } from './index.ts';
import { answerEvents, type CacheClient, fillWith, lookUp } from './testing.ts';

// A model of what the cache may know: one answer for each identity, written out in full. The cache may forget (it then
// hands out a lease), yet it never gives an answer that the model does not have for exactly this identity.

// Mostly one value, so that identities meet; now and then another, so that they differ in one part alone.
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const who = fc.record({
  tenant: mostly('a', 'b'),
  user: fc.constantFrom('ann', 'bob'),
  groups: mostly(['g'], [], ['h'], ['g', 'h'], ['g', '*'], ['*']),
});
const scope = fc.record({
  corpora: mostly(['help', 'shop'], [], ['help'], ['shop']),
  model: mostly('m', 'n'),
  topK: mostly('8', '9'),
  language: mostly<Language>(Language.ZH, Language.EN),
});
const question = mostly('How long?', 'how  long', 'how longer', '多久？', '多久');
const sameQuestion: Record<string, string> = { 'how  long': 'How long?', 多久: '多久？' };
const documentId = fc.constantFrom('d1', 'd2', 'd3');

const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ask' as const), who, scope, question, documentId }) },
  fc.record({ kind: fc.constant('publish' as const), corpus: fc.constantFrom('help', 'shop') }),
  fc.record({ kind: fc.constant('document' as const), who, documentId }),
  fc.record({ kind: fc.constant('corpus' as const), who, corpus: fc.constantFrom('help', 'shop') }),
  fc.record({ kind: fc.constant('model' as const), who, model: fc.constantFrom('m', 'n') }),
  fc.record({ kind: fc.constant('all' as const), who }),
);

interface Known {
  text: string;
  tenant: string;
  documentId: string;
  corpora: string[];
  model: string;
}

describe.each([
  ['memory', {}],
  ['the disk, where memory holds next to nothing', { memoryBytes: 2000n }],
  ['both, where neither holds much', { memoryBytes: 2000n, durableBytes: 6000n }],
])('answered from %s', (_name, config) => {
  let mesh: TestMesh;
  let client: CacheClient;
  beforeAll(async () => {
    mesh = await startTestMesh([cache], { config: { cache: config } });
    client = mesh.client(CacheService);
  });
  afterAll(() => mesh.close());

  test('no answer crosses an identity, and none outlives what it was made from', async () => {
    let runCount = 0;
    let hitCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 40 }), async (commands) => {
        const run = ++runCount;
        const tenantOf = (name: string) => `run${run}-${name}`;
        const as = (caller: { tenant: string; user: string; groups: string[] }) =>
          mesh.as(testPrincipal({ ...caller, tenant: tenantOf(caller.tenant) }));
        const revisions: Record<string, number> = { help: 1, shop: 1 };
        const model = new Map<string, Known>();
        const forget = (tenant: string, concerns: (known: Known) => boolean) => {
          for (const [key, known] of model) if (known.tenant === tenant && concerns(known)) model.delete(key);
        };
        for (const [index, step] of commands.entries()) {
          switch (step.kind) {
            case 'ask': {
              const principal = testPrincipal({ ...step.who, tenant: tenantOf(step.who.tenant) });
              const corpora = step.scope.corpora.map((corpus) => ({ corpus, revision: `r${revisions[corpus]}` }));
              const key = JSON.stringify([
                principal.tenant,
                visibleGroups(principal),
                corpora,
                step.scope,
                sameQuestion[step.question] ?? step.question,
              ]);
              const { model: alias, topK, language } = step.scope;
              const sent = { corpora, promptVersion: 'p', model: alias, parameters: { top_k: topK }, language };
              const options = await as(step.who);
              const looked = await lookUp(client, options, step.question, sent);
              if (looked.kinds[0] === 'hit') {
                hitCount++;
                expect(looked.text).toBe(model.get(key)?.text);
              } else {
                const text = `answer ${run}/${index} [1]`;
                const shown = step.documentId;
                const events = answerEvents(text, { documentId: shown, corpus: 'help' });
                expect(await fillWith(client, options, looked.leaseId ?? '', events)).toBe(true);
                const searched = [...new Set([...step.scope.corpora, 'help'])];
                model.set(key, { text, tenant: principal.tenant, documentId: shown, corpora: searched, model: alias });
              }
              break;
            }
            case 'publish':
              revisions[step.corpus] = (revisions[step.corpus] ?? 0) + 1;
              break;
            case 'document':
              await client.invalidate({ target: { case: 'documentId', value: step.documentId } }, await as(step.who));
              forget(tenantOf(step.who.tenant), (known) => known.documentId === step.documentId);
              break;
            case 'corpus':
              await client.invalidate({ target: { case: 'corpus', value: step.corpus } }, await as(step.who));
              forget(tenantOf(step.who.tenant), (known) => known.corpora.includes(step.corpus));
              break;
            case 'model':
              await client.invalidate({ target: { case: 'model', value: step.model } }, await as(step.who));
              forget(tenantOf(step.who.tenant), (known) => known.model === step.model);
              break;
            case 'all':
              await client.invalidate({ target: { case: 'all', value: true } }, await as(step.who));
              forget(tenantOf(step.who.tenant), () => true);
              break;
            default:
              step satisfies never;
          }
        }
      }),
      { numRuns: 12 },
    );
    expect(hitCount).toBeGreaterThan(5);
  });
});
