import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import type { Hit, RowFilter, SearchScope } from '../stores/index-row.ts';
import {
  anyVector,
  commonWord,
  days,
  type ModelChunk,
  type ModelCorpus,
  type ModelTenant,
  outerGroups,
  ownWord,
  pick,
  type Random,
  sharedWords,
  tenantNames,
} from './leak-world.suite.ts';
import { passes } from './row-filter.suite.ts';

// Random questions, and the plain model's answer to each: which chunks may be found. The model knows groups, not numbers of access
// lists.

/** A question of a random person. */
export interface LeakQuestion {
  /** The person's tenant; `undefined`: a tenant that has no index. */
  tenant: ModelTenant | undefined;
  /** Groups of which the person is a direct member. */
  memberOf: readonly string[];
  /** The model's corpora, each at one version. */
  parts: readonly { corpus: ModelCorpus; version: number }[];
  scope: SearchScope;
  vector: Float32Array<ArrayBuffer>;
  words: readonly string[];
  limit: number;
  /** Whether the rows are counted too. The counts are equal for all persons, so only some questions count. */
  counts: boolean;
}

/** A store under test. */
export interface StoreUnderTest {
  search(tenant: string, question: LeakQuestion, signal: AbortSignal): Promise<Hit[]>;
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  /** Returns the model's score of a chunk; `undefined`: the question does not find it; NaN: any score above 0. */
  scoreOf(question: LeakQuestion, chunk: ModelChunk): number | undefined;
}

/** The errors of an answer. */
export interface Judgement {
  /** Chunks and counts that crossed a boundary. */
  leaks: string[];
  /** Chunks and counts that are missing or wrong. */
  faults: string[];
  hits: Hit[];
}

const notAborted = new AbortController().signal;
/** A tenant that has no index. */
const stranger = 'nobody';
/** Claims that no directory makes. They must give no access. */
const falseGroups = ['*', '*staff', 'Staff', 'staff/', 'support', 'night', 'board', ''];

/** Returns the groups of a principal as a directory reports them: each group with all that contain it. */
function withOuterGroups(memberOf: readonly string[]): string[] {
  const groups = new Set<string>();
  for (const group of memberOf) {
    for (let at: string | undefined = group; at !== undefined; at = outerGroups.get(at)) groups.add(at);
  }
  return [...groups];
}

/** Returns whether a direct member of `memberOf` may see a document that is granted to `granted`. */
function maySee(memberOf: readonly string[], granted: readonly string[]): boolean {
  const isIn = (group: string | undefined, wanted: string): boolean =>
    group !== undefined && (group === wanted || isIn(outerGroups.get(group), wanted));
  return granted.length === 0 || granted.some((wanted) => memberOf.some((group) => isIn(group, wanted)));
}

/** Returns a random question. Its scope has the access lists that the service returns for the principal. */
export function anyQuestion(tenants: readonly ModelTenant[], random: Random): LeakQuestion {
  const tenant = random() < 0.02 ? undefined : pick(tenants, random);
  const share = pick([0, 0.1, 0.3, 0.6, 1], random);
  const memberOf = [...outerGroups.keys(), ...falseGroups].filter(
    (group) => random() < (outerGroups.has(group) ? share : 0.1),
  );
  // A person of a tenant without an index asks with the numbers of another tenant.
  const target = tenant ?? pick(tenants, random);
  const groups = withOuterGroups(memberOf);
  const { visibility } = target.index.view;
  const aclIds = visibility.aclIdsOf(testPrincipal({ tenant: target.name, groups }));
  const parts = target.corpora
    .filter(() => random() < 0.8)
    .map((corpus) => ({ corpus, version: random() < 0.6 ? corpus.live : pick([...corpus.versions.keys()], random) }));
  const tenantIndex = tenantNames.indexOf(target.name);
  const otherWords = [
    commonWord,
    ownWord(tenantIndex),
    ownWord((tenantIndex + 1) % tenantNames.length),
    'xylophone',
    '公积金',
  ];
  const words = Array.from({ length: pick([1, 1, 2, 3], random) }, () =>
    pick(random() < 0.8 ? sharedWords : otherWords, random),
  );
  return {
    tenant,
    memberOf,
    parts,
    scope: {
      corpora: parts.map(({ corpus: { corpusId }, version }) => ({ corpusId, version })),
      aclIds,
      filter: random() < 0.35 ? anyFilter(random) : undefined,
    },
    vector: anyVector(random),
    words: [...new Set(words)],
    limit: pick([1, 3, 8, 20, 50], random),
    counts: random() < 0.25,
  };
}

function anyFilter(random: Random): RowFilter {
  const some = <T>(values: readonly T[], share: number) => values.filter(() => random() < share);
  const maybe = <T>(share: number, value: () => T) => (random() < share ? value() : undefined);
  const kinds = [...some(['faq', 'policy', 'other'], 0.5), 'faq'];
  return {
    documentIds: maybe(0.3, () => some(['d0', 'd3', 'd5', 'd9', 'd12', 'd21', 'd30', 'd31', 'd33'], 0.6)) ?? [],
    languages: maybe(0.3, () => some([Language.ZH, Language.EN], 0.6)) ?? [],
    attributes: [
      ...(maybe(0.3, () => [{ name: 'kind', values: kinds }]) ?? []),
      ...(maybe(0.1, () => [{ name: 'a.b', values: ["x' OR 1"] }]) ?? []),
    ],
    updatedFromMs: maybe(0.2, () => pick(days, random)),
    updatedBeforeMs: maybe(0.2, () => pick(days, random) + pick([0, 1], random)),
  };
}

/** Asks a store and compares its answer with the model's. */
export async function judge(store: StoreUnderTest, question: LeakQuestion): Promise<Judgement> {
  const { tenant, memberOf, parts, scope, limit } = question;
  const name = tenant?.name ?? stranger;
  const counted = (question.counts ? parts : []).map(({ corpus, version }) =>
    store.count(name, corpus.corpusId, version, notAborted),
  );
  const [hits, ...counts] = await Promise.all([store.search(name, question, notAborted), ...counted]);
  const leaks: string[] = [];
  const faults: string[] = [];

  const held = parts.map(({ corpus, version }) =>
    tenant === undefined ? [] : [...(corpus.versions.get(version) as Map<string, ModelChunk[]>).values()].flat(),
  );
  for (const [at, count] of counts.entries()) {
    const { corpus, version } = parts[at] as LeakQuestion['parts'][number];
    const wanted = held[at]?.length as number;
    const what = `${corpus.name} at ${version} counts ${count} chunks, not ${wanted}`;
    if (count !== wanted) (count > wanted ? leaks : faults).push(what);
  }
  if (tenant !== undefined) compareVisible(tenant, memberOf, leaks, faults);

  const wanted = new Map<string, { chunk: ModelChunk; score: number }>();
  for (const chunk of held.flat()) {
    const score = store.scoreOf(question, chunk);
    const row = { ...chunk, aclId: 0 };
    const isFound = score !== undefined && (scope.filter === undefined || passes(row, scope.filter));
    if (isFound && maySee(memberOf, chunk.groups)) wanted.set(chunk.chunkId, { chunk, score });
  }
  const scores = [...wanted.values()].map(({ score }) => score).sort((a, b) => b - a);
  if (hits.length < Math.min(limit, scores.length)) faults.push(`${hits.length} of ${scores.length} found`);
  if (new Set(hits.map(({ key }) => key)).size !== hits.length) faults.push('a chunk was found twice');
  for (const [rank, { chunkId, documentId, score }] of hits.entries()) {
    const own = wanted.get(chunkId);
    if (own === undefined || own.chunk.documentId !== documentId) {
      leaks.push(`${chunkId} of ${documentId} was found`);
    } else if (Number.isNaN(own.score)) {
      if (!(score > 0) || score > (hits[rank - 1]?.score ?? score)) faults.push(`${chunkId} has the score ${score}`);
    } else if (Math.abs(own.score - score) > 1e-4 || Math.abs((scores[rank] as number) - score) > 1e-4) {
      faults.push(`${chunkId} has the score ${score}, not ${own.score}, and the best ${scores[rank]} at ${rank}`);
    }
  }
  if (hits.length > limit) faults.push(`${hits.length} hits, not ${limit}`);
  const about = `${name}, member of [${memberOf}], words [${question.words}], scope ${JSON.stringify(scope)}, limit ${limit}`;
  const describe = (problems: string[]) => problems.map((problem) => `${problem} (${about})`);
  return { leaks: describe(leaks), faults: describe(faults), hits };
}

// Compares the counts that a caller gets: those of the live version, by access list.
function compareVisible(tenant: ModelTenant, memberOf: readonly string[], leaks: string[], faults: string[]): void {
  const { name, index } = tenant;
  const principal = testPrincipal({ tenant: name, groups: withOuterGroups(memberOf) });
  for (const { name: corpusName, live, versions } of tenant.corpora) {
    const corpus = index.view.corpora.get(corpusName);
    if (corpus === undefined) throw new Error(`the index has no corpus ${corpusName}`);
    const visible = index.view.visibility.countsOf(corpus, principal);
    const seen = [...(versions.get(live)?.values() ?? [])].filter(([chunk]) => maySee(memberOf, chunk?.groups ?? []));
    for (const [count, wanted] of [
      [visible.documentCount, seen.length],
      [visible.chunkCount, seen.flat().length],
    ] as const) {
      if (count !== wanted)
        (count > wanted ? leaks : faults).push(`${corpusName} has the count ${count}, not ${wanted}`);
    }
  }
}
