import type { Row, Statement } from '#kit/storage/sqlite/protocol.ts';
import type { TenantFiles } from '../sqlite/tenant-files.ts';
import { forever } from '../stores/index-row.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { spreadAccess } from './access-changes.ts';
import type { TermRecord } from './terms.ts';

/** A version of a corpus. */
export interface VersionRecord extends VectorSpace {
  version: number;
  /** The version that was live when this one began. */
  base: number;
  buildId: string;
  begunMs: number;
  /** `undefined`: it is being built. */
  publishedMs: number | undefined;
}

/** A corpus. */
export interface CorpusRecord {
  corpusId: number;
  name: string;
  /** The version that readers see; 0: none yet. */
  live: number;
  /** The highest version number that was ever used; a number is never used twice. */
  lastVersion: number;
  /** The tenant's revision at the last change that readers of this corpus could see. */
  revision: number;
  /** Whether all rows of dropped versions are deleted. */
  swept: boolean;
  /** In order of number. */
  versions: readonly VersionRecord[];
}

/** A tenant's catalog without its documents. */
export interface TenantRecord {
  /** Distinguishes this catalog from an earlier one of the same tenant; part of every revision. */
  epoch: string;
  /** Counts changes that readers can see. */
  revision: number;
  /** In order of name. */
  corpora: readonly CorpusRecord[];
  acls: readonly { aclId: number; groups: readonly string[] }[];
  /** Documents whose purge is not finished. */
  purges: readonly { corpusId: number; documentId: string }[];
  /** The highest key of a document or chunk. */
  lastKey: number;
  /** The tenant's terms; `undefined`: none were set. */
  terms: TermRecord | undefined;
}

/** The corpora and versions of the catalog. */
export interface VersionCatalog {
  /** Returns the tenant's record; an empty one if the tenant has no catalog. */
  load(tenant: string): Promise<TenantRecord>;
  /** Creates a corpus if it does not exist. */
  createCorpus(tenant: string, name: string): Promise<void>;
  begin(tenant: string, corpusId: number, version: Omit<VersionRecord, 'publishedMs'>): Promise<void>;
  /**
   * Makes a version live and removes the versions `dropped`. The access lists of its documents then apply to older versions too:
   * the stores must follow.
   */
  publish(tenant: string, corpusId: number, version: number, nowMs: number, dropped: readonly number[]): Promise<void>;
  /** Makes a published version live. */
  rollback(tenant: string, corpusId: number, version: number): Promise<void>;
  /** Removes versions; the corpus is not swept until {@link sweep}. */
  drop(tenant: string, corpusId: number, versions: readonly number[]): Promise<void>;
  /** Deletes what belongs to no version from `oldest` to `newest`, after the stores have. Marks the corpus as swept. */
  sweep(tenant: string, corpusId: number, oldest: number, newest: number): Promise<void>;
}

const notAborted = new AbortController().signal;

/** The condition that a document is in a version; takes the version as two parameters. */
export const inVersion = 'added_in <= ? AND removed_in > ?';

/** Returns the statements that make a new revision of the tenant and the corpus, so that readers see a change. */
export const newRevision = (corpusId: number): Statement[] => [
  { sql: 'UPDATE tenant SET revision = revision + 1', params: [] },
  { sql: 'UPDATE corpus SET revision = (SELECT revision FROM tenant) WHERE id = ?', params: [corpusId] },
];

/** Creates the catalog of versions over the tenants' files. `newEpoch` returns the epoch of a new catalog. */
export function createVersionCatalog(files: TenantFiles, newEpoch: () => string): VersionCatalog {
  const dropStatements = (corpusId: number, versions: readonly number[]): Statement[] =>
    versions.length === 0
      ? []
      : [
          {
            sql: 'DELETE FROM version WHERE corpus_id = ? AND version IN (SELECT value FROM json_each(?))',
            params: [corpusId, JSON.stringify(versions)],
          },
          { sql: 'UPDATE corpus SET swept = 0 WHERE id = ?', params: [corpusId] },
        ];
  return {
    async load(tenant) {
      const read = (sql: string) => files.read(tenant, { sql, params: [] }, notAborted);
      const [tenants, corpora, versions, acls, purges, keys, terms] = await Promise.all([
        read('SELECT * FROM tenant'),
        read('SELECT * FROM corpus ORDER BY name'),
        read('SELECT * FROM version ORDER BY version'),
        read('SELECT * FROM acl'),
        read('SELECT * FROM purge'),
        read('SELECT max(ifnull((SELECT max(id) FROM document), 0), ifnull((SELECT max(id) FROM chunk), 0)) AS last'),
        read('SELECT body FROM terms'),
      ]);
      return {
        epoch: (tenants[0]?.epoch as string | undefined) ?? '',
        revision: Number(tenants[0]?.revision ?? 0),
        corpora: corpora.map((row) => ({
          ...toCorpus(row),
          versions: versions.filter(({ corpus_id }) => corpus_id === row.id).map(toVersion),
        })),
        acls: acls.map(({ id, groups }) => ({ aclId: id as number, groups: JSON.parse(groups as string) as string[] })),
        purges: purges.map((row) => ({
          corpusId: row.corpus_id as number,
          documentId: row.document_id as string,
        })),
        lastKey: Number(keys[0]?.last ?? 0),
        terms: terms[0] === undefined ? undefined : (JSON.parse(terms[0].body as string) as TermRecord),
      };
    },
    async createCorpus(tenant, name) {
      await files.write(tenant, [
        { sql: 'INSERT INTO tenant SELECT ?, 0 WHERE NOT EXISTS (SELECT 1 FROM tenant)', params: [newEpoch()] },
        { sql: 'INSERT INTO corpus (name) VALUES (?) ON CONFLICT DO NOTHING', params: [name] },
      ]);
    },
    async begin(tenant, corpusId, { version, base, buildId, model, dimensions, begunMs }) {
      await files.write(tenant, [
        {
          sql: 'INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, NULL)',
          params: [corpusId, version, base, buildId, model, dimensions, begunMs],
        },
        { sql: 'UPDATE corpus SET last_version = ? WHERE id = ?', params: [version, corpusId] },
      ]);
    },
    async publish(tenant, corpusId, version, nowMs, dropped) {
      await files.write(tenant, [
        {
          sql: 'UPDATE version SET published_ms = ? WHERE corpus_id = ? AND version = ?',
          params: [nowMs, corpusId, version],
        },
        { sql: 'UPDATE corpus SET live = ? WHERE id = ?', params: [version, corpusId] },
        ...spreadAccess(corpusId, version),
        ...newRevision(corpusId),
        ...dropStatements(corpusId, dropped),
      ]);
    },
    async rollback(tenant, corpusId, version) {
      await files.write(tenant, [
        { sql: 'UPDATE corpus SET live = ? WHERE id = ?', params: [version, corpusId] },
        ...newRevision(corpusId),
      ]);
    },
    async drop(tenant, corpusId, versions) {
      await files.write(tenant, dropStatements(corpusId, versions));
    },
    async sweep(tenant, corpusId, oldest, newest) {
      const gone = `corpus_id = ? AND (added_in > ? OR (removed_in <= ? AND removed_in < ${forever}))`;
      await files.write(tenant, [
        {
          sql: `DELETE FROM chunk WHERE document IN (SELECT id FROM document WHERE ${gone})`,
          params: [corpusId, newest, oldest],
        },
        { sql: `DELETE FROM document WHERE ${gone}`, params: [corpusId, newest, oldest] },
        {
          sql: `UPDATE document SET removed_in = ${forever}
            WHERE corpus_id = ? AND removed_in > ? AND removed_in < ${forever}`,
          params: [corpusId, newest],
        },
        { sql: 'UPDATE corpus SET swept = 1 WHERE id = ?', params: [corpusId] },
      ]);
    },
  };
}

function toCorpus(row: Row): Omit<CorpusRecord, 'versions'> {
  return {
    corpusId: row.id as number,
    name: row.name as string,
    live: row.live as number,
    lastVersion: row.last_version as number,
    revision: row.revision as number,
    swept: row.swept === 1,
  };
}

function toVersion(row: Row): VersionRecord {
  return {
    version: row.version as number,
    base: row.base as number,
    buildId: row.build_id as string,
    model: row.model as string,
    dimensions: row.dimensions as number,
    begunMs: row.begun_ms as number,
    publishedMs: (row.published_ms as number | null) ?? undefined,
  };
}
