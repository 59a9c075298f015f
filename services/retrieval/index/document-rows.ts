import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { IndexChunk, IndexDocument } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { grantedGroups } from '#kit/rpc/access.ts';
import { detectLanguage } from '#kit/text/language.ts';
import type { DocumentRecord } from '../catalog/documents.ts';
import type { KeywordRow } from '../stores/keyword-store.ts';
import type { VectorRow } from '../stores/vector-store.ts';
import type { TenantIndex } from './tenant-index.ts';

/** A batch of documents in the shapes in which catalog and stores keep them. */
export interface PreparedBatch {
  documentIds: string[];
  documents: DocumentRecord[];
  vectorRows: VectorRow[];
  keywordRows: KeywordRow[];
}

/**
 * Documents as catalog and stores keep them. Throws INVALID_ARGUMENT for a vector of other dimensions or with a
 * component that is no number, and for an id that comes twice.
 */
export function prepareBatch(
  documents: readonly IndexDocument[],
  dimensions: number,
  index: Pick<TenantIndex, 'nextKey' | 'aclIdOf'>,
): PreparedBatch {
  const batch: PreparedBatch = { documentIds: [], documents: [], vectorRows: [], keywordRows: [] };
  const seen = new Set<string>();
  for (const document of documents) {
    const documentId = document.documentId.toWellFormed();
    if (seen.has(documentId)) throw invalidArgument(`document "${documentId}" comes twice in a message`);
    seen.add(documentId);
    const groups = grantedGroups(document.access);
    const aclId = index.aclIdOf(groups);
    const record: DocumentRecord = {
      key: index.nextKey(),
      documentId,
      title: document.title.toWellFormed(),
      url: document.url.toWellFormed(),
      aclId,
      groups,
      // A copy: the bytes may be a view of a whole message, which would travel to the thread with them.
      contentHash: document.contentHash.slice(),
      chunks: [],
    };
    const attributes = Object.fromEntries(
      Object.entries(document.attributes).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]),
    );
    const chunks = prepareChunks(document, index);
    for (const { record: chunk, source } of chunks) {
      const row = {
        key: chunk.key,
        chunkId: chunk.chunkId,
        documentId,
        aclId,
        language: chunk.language,
        updatedMs: document.updatedAt === undefined ? undefined : timestampMs(document.updatedAt),
        attributes,
      };
      batch.vectorRows.push({ ...row, vector: unitVector(source, dimensions) });
      batch.keywordRows.push({ ...row, title: [record.title, ...chunk.headingPath].join('\n'), text: chunk.text });
    }
    batch.documentIds.push(documentId);
    batch.documents.push({ ...record, chunks: chunks.map(({ record: chunk }) => chunk) });
  }
  return batch;
}

function prepareChunks(document: IndexDocument, index: Pick<TenantIndex, 'nextKey'>) {
  const seen = new Set<string>();
  return document.chunks.map((source) => {
    const chunkId = source.chunkId.toWellFormed();
    if (seen.has(chunkId)) throw invalidArgument(`chunk "${chunkId}" comes twice in document "${document.documentId}"`);
    seen.add(chunkId);
    const text = source.text.toWellFormed();
    const record = {
      key: index.nextKey(),
      chunkId,
      ordinal: source.ordinal,
      language: source.language === Language.UNSPECIFIED ? languageOf(text) : source.language,
      startOffset: source.startOffset,
      endOffset: source.endOffset,
      headingPath: source.headingPath.map((heading) => heading.toWellFormed()),
      text,
    };
    return { record, source };
  });
}

function languageOf(text: string): Language {
  switch (detectLanguage(text)) {
    case 'zh':
      return Language.ZH;
    case 'en':
      return Language.EN;
    default:
      return Language.UNSPECIFIED;
  }
}

/** The chunk's vector at length 1; a zero vector stays one. Memory of its own, so that it travels alone. */
function unitVector({ chunkId, vector }: IndexChunk, dimensions: number): Float32Array<ArrayBuffer> {
  const given = fromVector(vector);
  if (given.length !== dimensions) {
    throw invalidArgument(`the vector of chunk "${chunkId}" has ${given.length} dimensions, the version ${dimensions}`);
  }
  const unit = normalise(given);
  if (unit === undefined) throw invalidArgument(`the vector of chunk "${chunkId}" has a component that is no number`);
  return unit;
}

/** A vector at length 1, in memory of its own; zero stays zero. `undefined` where a component is not finite. */
export function normalise(vector: Float32Array): Float32Array<ArrayBuffer> | undefined {
  let sum = 0;
  for (let index = 0; index < vector.length; index++) sum += (vector[index] as number) ** 2;
  if (!Number.isFinite(sum)) return undefined;
  const length = Math.sqrt(sum) || 1;
  const unit = new Float32Array(vector.length);
  for (let index = 0; index < vector.length; index++) unit[index] = (vector[index] as number) / length;
  return unit;
}
