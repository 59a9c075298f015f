import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { type IndexDocument, IndexDocumentSchema } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { toVector } from '#kit/base/vectors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { purgeDocuments, removeDocuments, writeDocuments } from '../index/documents.ts';
import { publishVersion } from '../index/publish.ts';
import { createTenantIndex, type TenantIndex } from '../index/tenant-index.ts';
import { abandonVersion, beginVersion, rollbackVersion } from '../index/versions.ts';
import type { KeywordStore } from '../stores/keyword-store.ts';
import type { VectorStore } from '../stores/vector-store.ts';

// Tenants that are as similar as possible: the same corpora, documents, groups, words and numbers. Only the chunk ids differ, so that a
// chunk found across a boundary is recognised. The code of the service writes the tenants, and a plain model records what each version
// holds.

/** Numbers from 0 up to 1. */
export type Random = () => number;

/** A chunk, as the model has it. */
export interface ModelChunk {
  chunkId: string;
  documentId: string;
  /** Groups that may see it; none: everyone in the tenant. */
  groups: readonly string[];
  language: Language;
  updatedMs: number | undefined;
  attributes: Record<string, string>;
  /** `Float32Array[dimensions]` of length 1. */
  vector: Float32Array<ArrayBuffer>;
  words: readonly string[];
}

/** A corpus, as the model has it. */
export interface ModelCorpus {
  name: string;
  corpusId: number;
  live: number;
  /** Chunks of each version that there is, by document. Some were rolled back, some are being built. */
  versions: Map<number, Map<string, ModelChunk[]>>;
}

/** A tenant: its index as the service has it, and the model. */
export interface ModelTenant {
  name: string;
  index: TenantIndex;
  corpora: ModelCorpus[];
}

const dimensions = 16;
export const space = { model: 'leaks', dimensions };

/** Names that differ little: in case, in a character that some engines interpret, or as the prefix of another. */
export const tenantNames = [
  ...[
    'acme',
    'Acme',
    'ACME',
    'acme-1',
    'acme_1',
    'acme.1',
    'acme1',
    'acme-10',
    'acme-1-0',
    'acme--1',
    'acme.',
    'acme-',
  ],
  ...[
    'a',
    'A',
    '0',
    '00',
    '1',
    'con',
    'nul',
    'default',
    'system',
    'admin',
    'public',
    'null',
    'true',
    'ragmesh',
    'tenant',
  ],
  ...['rules', 'staff', 'north', 'north.east', 'north-east', 'x'.repeat(64), `${'x'.repeat(63)}y`],
];

/** Groups and the group that contains each: a member of the inner group is also a member of the outer one. */
export const outerGroups = new Map<string, string | undefined>([
  ['staff', undefined],
  ['staff/support', 'staff'],
  ['staff/support/night', 'staff/support'],
  ['staff/finance', 'staff'],
  ['staff/finance/audit', 'staff/finance'],
  ['partners', undefined],
  ['partners/north', 'partners'],
  // Has another group's name as a prefix, and no relation to it.
  ['staffing', undefined],
  ['acme', undefined],
]);
const groupNames = [...outerGroups.keys()];

/** Times at which documents were changed. */
export const days = [0, 1, 2, 3, 4, 5].map((day) => 1_700_000_000_000 + day * 86_400_000);

/** Words that documents share. */
export const sharedWords = ['apple', 'pear', 'plum', 'grape', 'melon', 'quince', 'fig', '退货', '运费', '发票', '保修'];
/** A word of every document. */
export const commonWord = 'handbook';
/** Returns a word that only this tenant's documents have. */
export const ownWord = (tenantIndex: number) =>
  `qx${String.fromCharCode(97 + (tenantIndex % 6))}mor${String.fromCharCode(97 + Math.floor(tenantIndex / 6))}k`;

export const pick = <T>(values: readonly T[], random: Random): T => values[Math.floor(random() * values.length)] as T;

/** Returns a random direction; all directions are equally likely. */
export function anyVector(random: Random): Float32Array<ArrayBuffer> {
  const components = Array.from(
    { length: dimensions },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
  const length = Math.hypot(...components);
  return Float32Array.from(components, (component) => component / length);
}

/** The catalog and the stores that the tenants are written into. */
export interface LeakParts {
  catalog: Catalog;
  vectors: VectorStore;
  keywords: KeywordStore;
}

/** Writes a tenant: versions that are live, kept, rolled back, dropped and being built, and documents that were purged. */
export async function writeTenant(parts: LeakParts, tenantIndex: number, random: Random): Promise<ModelTenant> {
  const name = tenantNames[tenantIndex] as string;
  const index = await createTenantIndex(parts.catalog, name);
  const deps = { ...parts, log: createLogger('silent'), clock: () => 1_700_000_000_000, keptVersions: 5 };
  const exclusive = <T>(work: () => Promise<T>) => index.exclusive(new AbortController().signal, work);
  const corpora: ModelCorpus[] = [];
  let written = 0;

  const anyChunks = (documentId: string): ModelChunk[] => {
    const groupCount = pick([0, 0, 1, 1, 2, 3], random);
    const shared = {
      documentId,
      groups: Array.from({ length: groupCount }, () => pick(groupNames, random)),
      updatedMs: pick([undefined, ...days], random),
      attributes: pick<Record<string, string>>(
        [{}, { kind: 'faq' }, { kind: 'policy' }, { kind: 'faq', 'a.b': "x' OR 1" }],
        random,
      ),
    };
    return Array.from({ length: pick([1, 1, 2], random) }, () => ({
      ...shared,
      chunkId: `${tenantIndex}#${++written}`,
      language: pick([Language.ZH, Language.EN], random),
      vector: anyVector(random),
      words: [commonWord, ownWord(tenantIndex), ...Array.from({ length: 4 }, () => pick(sharedWords, random))],
    }));
  };
  const begin = async (corpus: ModelCorpus) => {
    const { version } = await exclusive(() => beginVersion(deps, index, corpus.name, `build ${written}`, space));
    for (const known of corpus.versions.keys()) if (known > corpus.live) corpus.versions.delete(known);
    corpus.versions.set(version, new Map(corpus.versions.get(corpus.live)));
    corpus.corpusId = index.view.corpora.get(corpus.name)?.corpusId as number;
    return version;
  };
  const change = async (corpus: ModelCorpus, version: number, writes: string[], removes: string[] = []) => {
    const model = corpus.versions.get(version) as Map<string, ModelChunk[]>;
    for (const documentId of writes) model.set(documentId, anyChunks(documentId));
    const batch = writes.map((documentId) => toIndexDocument(model.get(documentId) as ModelChunk[]));
    await exclusive(() => writeDocuments(deps, index, corpus.name, version, batch));
    for (const documentId of removes) model.delete(documentId);
    if (removes.length > 0) await exclusive(() => removeDocuments(deps, index, corpus.name, version, removes));
  };
  const publish = async (corpus: ModelCorpus, version: number) => {
    const expectedDocumentCount = corpus.versions.get(version)?.size;
    await exclusive(() => publishVersion(deps, index, { corpus: corpus.name, version, expectedDocumentCount }));
    corpus.live = version;
    // The newest published access lists apply to every version.
    for (const [documentId, [newest]] of corpus.versions.get(version) ?? []) {
      const groups = newest?.groups ?? [];
      for (const model of corpus.versions.values()) {
        const chunks = model.get(documentId);
        if (chunks !== undefined)
          model.set(
            documentId,
            chunks.map((chunk) => ({ ...chunk, groups })),
          );
      }
    }
  };
  const build = async (corpus: ModelCorpus, writes: string[], removes: string[] = []) => {
    const version = await begin(corpus);
    await change(corpus, version, writes, removes);
    await publish(corpus, version);
  };
  const purge = async (corpus: ModelCorpus, documentIds: string[]) => {
    await exclusive(() => purgeDocuments(deps, index, corpus.name, documentIds));
    for (const model of corpus.versions.values()) for (const id of documentIds) model.delete(id);
  };
  const rollBack = async (corpus: ModelCorpus, version: number) => {
    await exclusive(() => rollbackVersion(deps, index, corpus.name, version));
    corpus.live = version;
  };
  const newCorpus = (corpusName: string): ModelCorpus => {
    const corpus = { name: corpusName, corpusId: 0, live: 0, versions: new Map() };
    corpora.push(corpus);
    return corpus;
  };
  const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `d${from + at}`);

  const rules = newCorpus('rules');
  await build(rules, ids(0, 20));
  await build(rules, [...ids(0, 5), ...ids(20, 24)], ids(5, 8));
  if (tenantIndex % 3 === 0) {
    await change(rules, await begin(rules), ['d9', 'd30']);
  } else {
    await build(rules, [...ids(8, 11), 'd31'], ['d12']);
    await rollBack(rules, 2);
  }
  if (tenantIndex % 3 === 2) {
    await build(rules, ['d8', 'd32']);
    const abandoned = await begin(rules);
    await change(rules, abandoned, ['d10', 'd33']);
    await exclusive(() => abandonVersion(deps, index, rules.name, abandoned));
    rules.versions.delete(abandoned);
  }
  const notes = newCorpus('notes');
  await build(notes, ids(0, 10));
  await purge(rules, ['d1', 'd13']);
  await purge(notes, ['d2']);
  return { name, index, corpora };
}

function toIndexDocument(chunks: readonly ModelChunk[]): IndexDocument {
  const { documentId, groups, updatedMs, attributes } = chunks[0] as ModelChunk;
  return create(IndexDocumentSchema, {
    documentId,
    title: '',
    access: { groups: [...groups] },
    attributes,
    ...(updatedMs !== undefined && { updatedAt: timestampFromMs(updatedMs) }),
    chunks: chunks.map(({ chunkId, language, vector, words }, ordinal) => ({
      chunkId,
      ordinal,
      language,
      text: words.join(' '),
      vector: toVector(vector),
    })),
  });
}
