import type { Fault } from './link.ts';

/** The services behind a question. */
export const linkedServices = ['cache', 'retrieval', 'embedding', 'rerank', 'llm-gateway', 'audit'] as const;
/** What services need outside of the mesh. */
export const linkedStores = ['provider', 'redis', 'postgres'] as const;

/** What a cell of the matrix must show. */
export interface Expected {
  /** How a question may end while the fault lasts. */
  endings: readonly string[];
  /** Most questions of a cell that wait for the dependency; all others pay nothing. */
  maxWaits: number;
}

const gone: readonly Fault[] = ['dead', 'hung', 'lying', 'flapping', 'full'];

/** Of a dependency without which an answer lacks something: `lesser` says how it ends then. */
function answersWithout(...lesser: string[]): Partial<Record<Fault, Expected>> {
  const cells = gone.map(
    (fault) => [fault, { endings: fault === 'flapping' ? ['whole', ...lesser] : lesser }] as const,
  );
  return Object.fromEntries(cells.map(([fault, { endings }]) => [fault, { endings, maxWaits: waitsOf(fault) }]));
}

// The first wait, before the circuit opens. One more: a probe waits for up to a second, or for three times the usual.
function waitsOf(fault: Fault): number {
  return fault === 'hung' ? 3 : 0;
}

// A stage may give up before three times what is usual: then five waits in a row open the circuit, and a probe is one more.
function answersAtStageLimit(lesser: string): Partial<Record<Fault, Expected>> {
  return { ...answersWithout(lesser), hung: { endings: [lesser], maxWaits: 6 } };
}

/** Returns the endings of answers that lack at least one of the stages. */
function withoutSome(...stages: string[]): string[] {
  let sets: string[][] = [[]];
  for (const stage of stages) sets = sets.flatMap((set) => [set, [...set, stage]]);
  return sets.filter((set) => set.length > 0).map((set) => `without ${set.join(', ')}`);
}

const whole: Expected = { endings: ['whole'], maxWaits: 0 };
const noModel = 'Unavailable DEPENDENCY_UNAVAILABLE';
const withoutRecords = 'without audit, cache, retrieve, session';

const rows: Record<string, Partial<Record<Fault, Expected>>> = {
  cache: answersAtStageLimit('without cache'),
  // Which corpora a caller may see is part of a cache key.
  retrieval: answersWithout('without cache, retrieve', 'without retrieve', 'without cache'),
  embedding: answersWithout('without vector_search'),
  rerank: answersAtStageLimit('without rerank'),
  // No part of the mesh may invent an answer without the gateway: its caller learns so, and may try again. A generation may take long, but
  // not its first sign: a gateway that hangs does not cost the deadline of the caller.
  'llm-gateway': answersWithout(noModel),
  audit: answersWithout('without audit'),
  // The route has a second model, which does as well. A model's breaker opens after five failures, each a time limit of a second here.
  provider: { hung: { ...whole, maxWaits: 6 } },
  // Answers do not wait for it: memory of the process takes its place.
  redis: {},
  postgres: {
    ...answersWithout(withoutRecords),
    // Each stage finds it there or away for itself.
    flapping: { endings: ['whole', ...withoutSome('audit', 'cache', 'retrieve', 'session')], maxWaits: 0 },
    // The pool may take its connections back before others have taken them all.
    full: { endings: ['whole', withoutRecords], maxWaits: 0 },
    // Damaged replies of its wire are replies: each statement waits for the rest of its own. TLS is what finds them.
    lying: { endings: [withoutRecords], maxWaits: 12 },
  },
};

/** Returns what a cell must show; without a word about it, an answer is whole. */
export function expectedOf(dependency: string, fault: Fault): Expected {
  return rows[dependency]?.[fault] ?? whole;
}
