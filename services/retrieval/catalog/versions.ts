import { forever } from '../stores/index-row.ts';
import type { VectorSpace } from '../stores/vector-store.ts';
import { spreadAccess } from './access-changes.ts';
import { insertFrom, insertRows, jsonOf, oneOf, remove, rows, type Sql, sql, update } from './engines/sql.ts';
import type { CatalogRow, CatalogTables } from './engines/tables.ts';
import { newRevision, newState, newTenant, stateName } from './states.ts';
import type { TermRecord } from './terms.ts';
import { type TrialRecord, trialColumns } from './trials.ts';

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
  /** The version on trial; `undefined`: none. */
  trial: TrialRecord | undefined;
}

/** A tenant's catalog without its documents. */
export interface TenantRecord {
  /** The name of this state, see CatalogChanges. */
  state: string;
  /** Distinguishes this catalog from an earlier one of the same tenant; part of every revision. */
  epoch: string;
  /** Counts changes that readers can see. */
  revision: number;
  /** In order of name. */
  corpora: readonly CorpusRecord[];
  acls: readonly { aclId: number; groups: readonly string[] }[];
  /** Documents whose purge is not finished. */
  purges: readonly { corpusId: number; documentId: string }[];
  /** Counts purges. */
  purgeCount: number;
  /** Whether the stores must still apply changes of access lists. */
  hasAccessChanges: boolean;
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
  /**
   * Deletes what belongs to no version from `oldest` to `newest`, after the stores have. Marks the corpus as swept. `hasNewer`: whether the corpus
   * had a newer version, whose documents are then looked for among all.
   */
  sweep(tenant: string, corpusId: number, oldest: number, newest: number, hasNewer: boolean): Promise<void>;
}

const notAborted = new AbortController().signal;

/** Creates the catalog of versions. `newEpoch` returns the epoch of a new catalog. */
export function createVersionCatalog(tables: CatalogTables, newEpoch: () => string): VersionCatalog {
  const dropStatements = (corpusId: number, versions: readonly number[]): Sql[] =>
    versions.length === 0
      ? []
      : [
          remove('version', sql`corpus_id = ${corpusId} AND ${oneOf('version', versions)}`),
          remove('trial', sql`corpus_id = ${corpusId} AND ${oneOf('version', versions)}`),
          update('corpus', sql`swept = 0`, sql`id = ${corpusId}`),
        ];
  return {
    async load(tenant) {
      const [row] = await tables.read(tenant, recordQuery, notAborted);
      return toRecord(row ?? {});
    },
    async createCorpus(tenant, name) {
      await tables.write(tenant, [
        newTenant(newEpoch()),
        insertFrom(
          'corpus',
          ['id', 'name'],
          sql`SELECT (SELECT coalesce(max(id), 0) + 1 FROM ${rows('corpus')}), ${name}
            WHERE NOT EXISTS (SELECT 1 FROM ${rows('corpus')} WHERE name = ${name})`,
        ),
        newState(),
      ]);
    },
    async begin(tenant, corpusId, { version, base, buildId, model, dimensions, begunMs }) {
      await tables.write(tenant, [
        insertRows(
          'version',
          ['corpus_id', 'version', 'base', 'build_id', 'model', 'dimensions', 'begun_ms'],
          [[corpusId, version, base, buildId, model, dimensions, begunMs]],
        ),
        update('corpus', sql`last_version = ${version}`, sql`id = ${corpusId}`),
        newState(),
      ]);
    },
    async publish(tenant, corpusId, version, nowMs, dropped) {
      await tables.write(tenant, [
        update('version', sql`published_ms = ${nowMs}`, sql`corpus_id = ${corpusId} AND version = ${version}`),
        update('corpus', sql`live = ${version}`, sql`id = ${corpusId}`),
        remove('trial', sql`corpus_id = ${corpusId}`),
        ...spreadAccess(corpusId, version),
        ...newRevision(corpusId),
        ...dropStatements(corpusId, dropped),
      ]);
    },
    async rollback(tenant, corpusId, version) {
      await tables.write(tenant, [
        update('corpus', sql`live = ${version}`, sql`id = ${corpusId}`),
        // It was built from the version that is no longer live.
        remove('trial', sql`corpus_id = ${corpusId}`),
        ...newRevision(corpusId),
      ]);
    },
    async drop(tenant, corpusId, versions) {
      await tables.write(tenant, [...dropStatements(corpusId, versions), newState()]);
    },
    async sweep(tenant, corpusId, oldest, newest, hasNewer) {
      const older = sql`corpus_id = ${corpusId} AND removed_in <= ${oldest} AND removed_in < ${forever}`;
      const newer = sql`corpus_id = ${corpusId} AND added_in > ${newest}`;
      await tables.write(tenant, [
        ...(hasNewer ? [older, newer] : [older]).flatMap((gone) => [
          remove('chunk', sql`document IN (SELECT id FROM ${rows('document')} WHERE ${gone})`),
          remove('document', gone),
        ]),
        update(
          'document',
          sql`removed_in = ${forever}`,
          sql`corpus_id = ${corpusId} AND removed_in > ${newest} AND removed_in < ${forever}`,
        ),
        update('corpus', sql`swept = 1`, sql`id = ${corpusId}`),
        newState(),
      ]);
    },
  };
}

const corpusColumns = ['id', 'name', 'live', 'last_version', 'revision', 'swept'];
const versionColumns = [
  ...['corpus_id', 'version', 'base', 'build_id', 'model', 'dimensions', 'begun_ms', 'published_ms'],
];

// One statement, so that the record is of one state.
const recordQuery = sql`SELECT
  (SELECT epoch FROM ${rows('tenant')}) AS epoch,
  (SELECT revision FROM ${rows('tenant')}) AS revision,
  (SELECT generation FROM ${rows('tenant')}) AS generation,
  (SELECT purge_count FROM ${rows('tenant')}) AS purge_count,
  (SELECT body FROM ${rows('terms')}) AS terms,
  (SELECT count(*) FROM ${rows('access_change')}) AS access_changes,
  ${jsonOf(corpusColumns, sql`SELECT * FROM ${rows('corpus')} ORDER BY name`)} AS corpora,
  ${jsonOf(versionColumns, sql`SELECT * FROM ${rows('version')} ORDER BY version`)} AS versions,
  ${jsonOf(trialColumns, sql`SELECT * FROM ${rows('trial')}`)} AS trials,
  ${jsonOf(['id', 'groups'], sql`SELECT id, groups FROM ${rows('acl')}`)} AS acls,
  ${jsonOf(['corpus_id', 'document_id'], sql`SELECT corpus_id, document_id FROM ${rows('purge')}`)} AS purges`;

type Json = Record<string, string | number | null>;

function toRecord(row: CatalogRow): TenantRecord {
  const list = (column: string) => JSON.parse((row[column] as string | undefined) ?? '[]') as Json[];
  const epoch = (row.epoch as string | null | undefined) ?? '';
  const versions = list('versions');
  const trials = list('trials');
  return {
    state: stateName(epoch, Number(row.generation ?? 0)),
    epoch,
    revision: Number(row.revision ?? 0),
    corpora: list('corpora').map((corpus) => ({
      ...toCorpus(corpus),
      versions: versions.filter(({ corpus_id }) => corpus_id === corpus.id).map(toVersion),
      trial: toTrial(trials.find(({ corpus_id }) => corpus_id === corpus.id)),
    })),
    acls: list('acls').map(({ id, groups }) => ({ aclId: id as number, groups: JSON.parse(groups as string) })),
    purges: list('purges').map((purge) => ({
      corpusId: purge.corpus_id as number,
      documentId: purge.document_id as string,
    })),
    purgeCount: Number(row.purge_count ?? 0),
    hasAccessChanges: Number(row.access_changes ?? 0) > 0,
    terms: typeof row.terms === 'string' ? (JSON.parse(row.terms) as TermRecord) : undefined,
  };
}

function toCorpus(row: Json): Omit<CorpusRecord, 'versions' | 'trial'> {
  return {
    corpusId: row.id as number,
    name: row.name as string,
    live: row.live as number,
    lastVersion: row.last_version as number,
    revision: row.revision as number,
    swept: row.swept === 1,
  };
}

function toVersion(row: Json): VersionRecord {
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

function toTrial(row: Json | undefined): TrialRecord | undefined {
  return (
    row && {
      version: row.version as number,
      canaryPercent: row.canary_percent as number,
      shadowPercent: row.shadow_percent as number,
      startedMs: row.started_ms as number,
    }
  );
}
