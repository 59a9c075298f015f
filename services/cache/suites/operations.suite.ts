import fc from 'fast-check';
import { expect } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { visibleGroups } from '#kit/rpc/access.ts';
import { type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { answerEvents, fillWith, lookUp } from '../testing/cache.ts';

// A model of what the cache may know: one answer for each identity, written out in full. The cache may forget (it then issues a
// lease), yet it never gives an answer that the model does not have for exactly this identity.

// Mostly one value, so that identities meet; now and then another, so that they differ in one part alone.
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const tenants = ['a', 'b', 'c', 'd', 'e'];
const groups = [['g'], [], ['h'], ['g', 'h', '*']];

/** Twenty principals: in each of five tenants, four that see different documents. */
const principal = fc.record({ tenant: mostly('a', ...tenants), groups: mostly(['g'], ...groups) });
/** Access is by groups: users of the same groups share answers. */
const who = fc.record({ principal, user: fc.constantFrom('ann', 'bob') });
const scope = fc.record({
  corpora: mostly(['help', 'shop'], [], ['help'], ['shop']),
  promptVersion: mostly('p', 'q'),
  model: mostly('m', 'n'),
  topK: mostly('8', '9'),
  language: mostly<Language>(Language.ZH, Language.EN),
});
const question = mostly('How long?', 'how  long', 'how longer', '多久？', '多久');
const sameQuestion: Record<string, string> = { 'how  long': 'How long?', 多久: '多久？' };
const documentId = fc.constantFrom('d1', 'd2', 'd3');
/** Which replica is asked. */
const at = fc.nat(1);
const corpus = fc.constantFrom('help', 'shop');

/** A step. */
export const operation = fc.oneof(
  { weight: 40, arbitrary: fc.record({ kind: fc.constant('ask' as const), at, who, scope, question, documentId }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('publish' as const), corpus }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('document' as const), at, who, documentId }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('corpus' as const), at, who, corpus }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revision' as const), at, who, corpus }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('model' as const), at, who, model: fc.constantFrom('m', 'n') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('prompt' as const), at, who, version: fc.constantFrom('p', 'q') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('all' as const), at, who }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

interface Known {
  text: string;
  tenant: string;
  documentId: string;
  corpora: readonly string[];
  revisions: readonly string[];
  model: string;
  promptVersion: string;
}

/** Does the steps on replicas of one cache, and expects that no answer is wrong. Resolves to how many were hits. `run`: names its tenants. */
export async function runOperations(
  replicas: readonly TestMesh[],
  run: string,
  steps: readonly Operation[],
): Promise<number> {
  let hitCount = 0;
  const revisions: Record<string, number> = { help: 1, shop: 1 };
  const revisionOf = (name: string) => `r${revisions[name]}`;
  const model = new Map<string, Known>();
  const forget = (tenant: string, concerns: (known: Known) => boolean) => {
    for (const [key, known] of model) if (known.tenant === tenant && concerns(known)) model.delete(key);
  };
  const callers = new Map<string, Promise<object>>();
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'publish') {
      revisions[step.corpus] = (revisions[step.corpus] ?? 0) + 1;
      continue;
    }
    const mesh = replicas[step.at % replicas.length] as TestMesh;
    const client = mesh.client(CacheService);
    const tenant = `${run}-${step.who.principal.tenant}`;
    const caller = testPrincipal({ tenant, user: step.who.user, groups: [...step.who.principal.groups] });
    const callerKey = JSON.stringify([replicas.indexOf(mesh), tenant, caller.user, caller.groups]);
    const options = await (callers.get(callerKey) ?? mesh.as(caller));
    if (!callers.has(callerKey)) callers.set(callerKey, Promise.resolve(options));
    const invalidate = async (target: object, concerns: (known: Known) => boolean) => {
      await client.invalidate({ target: target as never }, options);
      forget(tenant, concerns);
    };
    switch (step.kind) {
      case 'ask': {
        const { promptVersion, model: alias, topK, language } = step.scope;
        const corpora = step.scope.corpora.map((name) => ({ corpus: name, revision: revisionOf(name) }));
        const asked = sameQuestion[step.question] ?? step.question;
        const key = JSON.stringify([tenant, visibleGroups(caller), corpora, step.scope, asked]);
        const sent = { corpora, promptVersion, model: alias, parameters: { top_k: topK }, language };
        const looked = await lookUp(client, options, step.question, sent);
        if (looked.leaseId === undefined) {
          hitCount++;
          expect(looked.text).toBe(model.get(key)?.text);
          break;
        }
        const text = `answer ${run}/${index} [1]`;
        const events = answerEvents(text, { documentId: step.documentId, corpus: 'help' });
        expect(await fillWith(client, options, looked.leaseId, events)).toBe(true);
        model.set(key, {
          ...{ text, tenant, documentId: step.documentId, model: alias, promptVersion },
          corpora: [...step.scope.corpora, 'help'],
          revisions: corpora.map((each) => `${each.corpus} ${each.revision}`),
        });
        break;
      }
      case 'document':
        await invalidate(
          { case: 'documentId', value: step.documentId },
          (known) => known.documentId === step.documentId,
        );
        break;
      case 'corpus':
        await invalidate({ case: 'corpus', value: step.corpus }, (known) => known.corpora.includes(step.corpus));
        break;
      case 'revision': {
        const value = { corpus: step.corpus, revision: revisionOf(step.corpus) };
        const named = `${value.corpus} ${value.revision}`;
        await invalidate({ case: 'corpusRevision', value }, (known) => known.revisions.includes(named));
        break;
      }
      case 'model':
        await invalidate({ case: 'model', value: step.model }, (known) => known.model === step.model);
        break;
      case 'prompt':
        await invalidate(
          { case: 'promptVersion', value: step.version },
          (known) => known.promptVersion === step.version,
        );
        break;
      case 'all':
        await invalidate({ case: 'all', value: true }, () => true);
        break;
      default:
        step satisfies never;
    }
  }
  return hitCount;
}
