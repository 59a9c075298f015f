import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Language, type PageRegion } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { IndexChunk, IndexDocument } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { grantedGroups } from '#kit/rpc/access.ts';
import type { DocumentRecord } from '../catalog/document-statements.ts';
import type { PageRegionRecord } from '../catalog/passage-record.ts';
import { detectedLanguage } from '../convert.ts';
import type { KeywordRow } from '../stores/keyword-store.ts';
import { toUnitVector } from '../stores/unit-vector.ts';
import type { VectorRow } from '../stores/vector-store.ts';
import type { TenantIndex } from './tenant-index.ts';

/** A batch of documents as the catalog and the two stores keep it. */
export interface DocumentRows {
  documentIds: string[];
  documents: DocumentRecord[];
  vectorRows: VectorRow[];
  keywordRows: KeywordRow[];
}

/** Takes the keys of documents and chunks, and the numbers of access lists. */
export type RowNumbers = Pick<TenantIndex, 'takeKeys' | 'aclIdsOf'>;

/**
 * Converts documents to the rows of the catalog and the stores. Throws INVALID_ARGUMENT for a vector with other dimensions or a
 * component that is not finite, and for an id that occurs twice.
 */
export async function documentsToRows(
  documents: readonly IndexDocument[],
  dimensions: number,
  numbers: RowNumbers,
): Promise<DocumentRows> {
  const lists = documents.map(({ access }) => grantedGroups(access));
  const aclIds = await numbers.aclIdsOf(lists);
  const keyCount = documents.reduce((sum, { chunks }) => sum + 1 + chunks.length, 0);
  const nextKey = await numbers.takeKeys(keyCount);
  const batch: DocumentRows = { documentIds: [], documents: [], vectorRows: [], keywordRows: [] };
  const seen = new Set<string>();
  for (const [at, document] of documents.entries()) {
    const documentId = document.documentId.toWellFormed();
    if (seen.has(documentId)) throw invalidArgument(`document "${documentId}" occurs twice in a message`);
    seen.add(documentId);
    const aclId = aclIds[at] as number;
    const record: DocumentRecord = {
      key: nextKey(),
      documentId,
      title: document.title.toWellFormed(),
      url: document.url.toWellFormed(),
      updatedMs: document.updatedAt === undefined ? undefined : timestampMs(document.updatedAt),
      ...validityOf(document.attributes),
      aclId,
      // A copy, because the bytes may be a view of a whole message, which would be sent to the thread with them.
      contentHash: document.contentHash.slice(),
      chunks: [],
    };
    const attributes = Object.fromEntries(
      Object.entries(document.attributes).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]),
    );
    const chunks = chunkRecords(document, nextKey);
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
      const title = [record.title, ...chunk.headingPath].join('\n');
      batch.keywordRows.push({ ...row, title, text: searchedText(chunk.text, chunk.context) });
    }
    batch.documentIds.push(documentId);
    batch.documents.push({ ...record, chunks: chunks.map(({ record: chunk }) => chunk) });
  }
  return batch;
}

const dayMs = 86_400_000;

/** Returns the days of the attributes `valid_from` and `valid_until` (`2026-09-14`, in UTC) as times; the last day is included. */
function validityOf(
  attributes: Readonly<Record<string, string>>,
): Pick<DocumentRecord, 'validFromMs' | 'validUntilMs'> {
  const from = dayOf(attributes.valid_from);
  const until = dayOf(attributes.valid_until);
  return {
    ...(from !== undefined && { validFromMs: from }),
    ...(until !== undefined && { validUntilMs: until + dayMs }),
  };
}

function dayOf(value: string | undefined): number | undefined {
  const day = /^\d{4}-\d{2}-\d{2}/.exec(value ?? '')?.[0];
  const ms = day === undefined ? Number.NaN : Date.parse(day);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Returns the words of a chunk for searches: its text, and what a model has written about it. */
export function searchedText(text: string, context: string | undefined): string {
  return context === undefined ? text : `${text}\n${context}`;
}

function chunkRecords(document: IndexDocument, nextKey: () => number) {
  const seen = new Set<string>();
  return document.chunks.map((source) => {
    const chunkId = source.chunkId.toWellFormed();
    if (seen.has(chunkId))
      throw invalidArgument(`chunk "${chunkId}" occurs twice in document "${document.documentId}"`);
    seen.add(chunkId);
    const text = source.text.toWellFormed();
    const record = {
      key: nextKey(),
      chunkId,
      ordinal: source.ordinal,
      language: source.language === Language.UNSPECIFIED ? detectedLanguage(text) : source.language,
      startOffset: source.startOffset,
      endOffset: source.endOffset,
      headingPath: source.headingPath.map((heading) => heading.toWellFormed()),
      ...(source.regions.length > 0 && { regions: source.regions.map(toRegionRecord) }),
      ...(source.boost !== 0 && { boost: source.boost }),
      ...(source.context !== '' && { context: source.context.toWellFormed() }),
      text,
    };
    return { record, source };
  });
}

/** Returns a region with a tenth of a point, which is finer than a page can be seen. */
function toRegionRecord({ page, left, top, right, bottom }: PageRegion): PageRegionRecord {
  const round = (points: number) => Math.round(points * 10) / 10;
  return [page, round(left), round(top), round(right), round(bottom)];
}

/** Returns the chunk's vector with length 1; a zero vector stays zero. */
function unitVector({ chunkId, vector }: IndexChunk, dimensions: number): Float32Array<ArrayBuffer> {
  const given = fromVector(vector);
  if (given.length !== dimensions) {
    throw invalidArgument(`the vector of chunk "${chunkId}" has ${given.length} dimensions, the version ${dimensions}`);
  }
  const unit = toUnitVector(given);
  if (unit === undefined) throw invalidArgument(`the vector of chunk "${chunkId}" has a component that is not finite`);
  return unit;
}
