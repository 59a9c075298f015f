import { createRequire } from 'node:module';
import type { Row } from '#kit/storage/sqlite/protocol.ts';
import { searchedText } from '../index/document-rows.ts';
import { oneOf, storeMigrations, tablesSchema } from '../sqlite/rows.ts';
import { createTenantFiles, type TenantFiles } from '../sqlite/tenant-files.ts';
import type { SqliteThreads } from '../sqlite/threads.ts';
import { forever, type IndexRow } from '../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../stores/keyword-store.ts';
import type { VectorRow, VectorSpace, VectorStore } from '../stores/vector-store.ts';

// The rows of a corpus are written version by version, as they came, so that every store ends with the same intervals.

/** The embedded index that is moved. */
export interface CorpusSource {
  catalogs: TenantFiles;
  vectorFiles: TenantFiles;
  tenant: string;
  corpusId: number;
}

/** The stores of the new configuration. */
export interface TargetStores {
  vectors: VectorStore;
  keywords: KeywordStore;
}

/** Documents that are written together. */
const batchDocuments = 64;

const notAborted = new AbortController().signal;

/** Opens the embedded store of vectors, to read it. */
export function openVectorFiles(folder: string, threads: SqliteThreads): TenantFiles {
  const extension = (createRequire(import.meta.url)('sqlite-vec') as { getLoadablePath(): string }).getLoadablePath();
  const migrations = storeMigrations(tablesSchema);
  return createTenantFiles({ folder, name: 'vector store', threads, migrations, extensions: [extension] });
}

/** Writes the rows of a corpus to the stores, in place of those that they have of it. Rows that the catalog does not know stay behind. */
export async function moveCorpus(
  source: CorpusSource,
  { vectors, keywords }: TargetStores,
  onRows: (count: number) => void,
): Promise<void> {
  const { tenant, corpusId } = source;
  const everything = { kind: 'retain', oldest: 1, newest: 0 } as const;
  await vectors.apply(tenant, corpusId, undefined, everything);
  await keywords.apply(tenant, corpusId, everything);
  const spaces = await listSpaces(source);
  let rowCount = 0;
  for (const version of await listVersions(source)) {
    const added = await documentsOf(source, 'added_in = ?', [version]);
    for (let at = 0; at < added.length; at += batchDocuments) {
      const documentIds = added.slice(at, at + batchDocuments);
      for (const part of await readRows(source, spaces, version, documentIds)) {
        const change = { kind: 'replace', version, documentIds: part.documentIds } as const;
        await vectors.apply(tenant, corpusId, part.space, { ...change, rows: part.vectorRows });
        await keywords.apply(tenant, corpusId, { ...change, rows: part.keywordRows });
        rowCount += part.vectorRows.length;
      }
      onRows(rowCount);
    }
    const isAdded = new Set(added);
    const ended = await documentsOf(source, 'removed_in = ?', [version]);
    const removed = ended.filter((documentId) => !isAdded.has(documentId));
    if (removed.length === 0) continue;
    const change = { kind: 'replace', version, documentIds: removed, rows: [] } as const;
    await vectors.apply(tenant, corpusId, undefined, change);
    await keywords.apply(tenant, corpusId, change);
  }
}

function read({ vectorFiles, tenant }: CorpusSource, sql: string, params: (string | number)[]): Promise<Row[]> {
  return vectorFiles.read(tenant, { sql, params }, notAborted);
}

/** Returns the versions in which rows of the corpus begin or end, ascending. */
async function listVersions(source: CorpusSource): Promise<number[]> {
  const sql = `SELECT added_in AS version FROM chunk WHERE corpus_id = ?
    UNION SELECT removed_in FROM chunk WHERE corpus_id = ? AND removed_in < ${forever} ORDER BY 1`;
  return (await read(source, sql, [source.corpusId, source.corpusId])).map(({ version }) => Number(version));
}

async function documentsOf(source: CorpusSource, condition: string, params: number[]): Promise<string[]> {
  const sql = `SELECT DISTINCT document_id FROM chunk WHERE corpus_id = ? AND ${condition} ORDER BY document_id`;
  return (await read(source, sql, [source.corpusId, ...params])).map((row) => String(row.document_id));
}

interface SpaceTable extends VectorSpace {
  name: string;
}

async function listSpaces(source: CorpusSource): Promise<SpaceTable[]> {
  const rows = await read(source, 'SELECT id, model, dimensions FROM space WHERE corpus_id = ?', [source.corpusId]);
  return rows.map(({ id, model, dimensions }) => ({
    name: `vector_${id}`,
    model: String(model),
    dimensions: Number(dimensions),
  }));
}

/** Documents of one space with their rows. */
interface MovedRows {
  space: VectorSpace | undefined;
  documentIds: string[];
  vectorRows: VectorRow[];
  keywordRows: KeywordRow[];
}

async function readRows(
  source: CorpusSource,
  spaces: readonly SpaceTable[],
  version: number,
  documentIds: readonly string[],
): Promise<MovedRows[]> {
  const params = [source.corpusId, JSON.stringify(documentIds), version];
  const chosen = `corpus_id = ? AND ${oneOf('document_id')} AND added_in = ?`;
  const chunks = await read(source, `SELECT * FROM chunk WHERE ${chosen} ORDER BY id`, params);
  const names = await read(
    source,
    `SELECT id, name, value FROM attribute WHERE id IN (SELECT id FROM chunk WHERE ${chosen})`,
    params,
  );
  const attributes = new Map<number, Record<string, string>>();
  for (const { id, name, value } of names) {
    const known = attributes.get(Number(id)) ?? {};
    known[String(name)] = String(value);
    attributes.set(Number(id), known);
  }
  const texts = await readTexts(
    source,
    chunks.map(({ id }) => Number(id)),
  );
  const found = await readVectors(source, spaces, chosen, params);
  const parts = new Map<SpaceTable | undefined, MovedRows>();
  for (const chunk of chunks) {
    const key = Number(chunk.id);
    const text = texts.get(key);
    if (text === undefined) continue;
    const { space, vector } = found.get(key) ?? { space: undefined, vector: undefined };
    // A zero vector has no row of its own; its document may have others.
    const place = space ?? spaceOfDocument(chunks, found, String(chunk.document_id));
    const part = parts.get(place) ?? { space: place, documentIds: [], vectorRows: [], keywordRows: [] };
    parts.set(place, part);
    const row = toRow(chunk, attributes.get(key) ?? {});
    if (part.documentIds.at(-1) !== row.documentId && !part.documentIds.includes(row.documentId)) {
      part.documentIds.push(row.documentId);
    }
    part.vectorRows.push({ ...row, vector: vector ?? new Float32Array(place?.dimensions ?? 1) });
    part.keywordRows.push({ ...row, ...text });
  }
  return [...parts.values()];
}

function toRow(chunk: Row, attributes: Record<string, string>): IndexRow {
  return {
    key: Number(chunk.id),
    chunkId: String(chunk.chunk_id),
    documentId: String(chunk.document_id),
    aclId: Number(chunk.acl_id),
    language: Number(chunk.language),
    updatedMs: chunk.updated_ms === null ? undefined : Number(chunk.updated_ms),
    attributes,
  };
}

type FoundVectors = ReadonlyMap<number, { space: SpaceTable; vector: Float32Array<ArrayBuffer> }>;

function spaceOfDocument(chunks: readonly Row[], found: FoundVectors, documentId: string): SpaceTable | undefined {
  const other = chunks.find((chunk) => chunk.document_id === documentId && found.has(Number(chunk.id)));
  return other === undefined ? undefined : found.get(Number(other.id))?.space;
}

async function readVectors(
  source: CorpusSource,
  spaces: readonly SpaceTable[],
  chosen: string,
  params: (string | number)[],
): Promise<FoundVectors> {
  const found = new Map<number, { space: SpaceTable; vector: Float32Array<ArrayBuffer> }>();
  for (const space of spaces) {
    const sql = `SELECT own.id AS key, embedding FROM (SELECT id FROM chunk WHERE ${chosen}) AS own
      CROSS JOIN ${space.name} AS near ON near.rowid = own.id`;
    for (const { key, embedding } of await read(source, sql, params)) {
      const bytes = (embedding as Uint8Array).slice();
      found.set(Number(key), { space, vector: new Float32Array(bytes.buffer) });
    }
  }
  return found;
}

/** Returns what the keyword store reads of each chunk, from the catalog. */
async function readTexts(
  { catalogs, tenant }: CorpusSource,
  keys: readonly number[],
): Promise<Map<number, { title: string; text: string }>> {
  const sql = `SELECT chunk.id, heading_path, text, context, title FROM chunk JOIN document ON document.id = chunk.document
    WHERE ${oneOf('chunk.id')}`;
  const rows = await catalogs.read(tenant, { sql, params: [JSON.stringify(keys)] }, notAborted);
  return new Map(
    rows.map((row) => {
      const headings = JSON.parse(String(row.heading_path)) as string[];
      const context = typeof row.context === 'string' ? row.context : undefined;
      const text = searchedText(String(row.text), context);
      return [Number(row.id), { title: [String(row.title), ...headings].join('\n'), text }];
    }),
  );
}
