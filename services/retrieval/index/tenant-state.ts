import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { visibleGroups } from '#kit/rpc/access.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { CorpusRecord, TenantRecord } from '../catalog/versions.ts';
import { createTerms, noTerms, type Terms } from './terms.ts';

/** Documents and chunks. */
export interface Counts {
  documentCount: number;
  chunkCount: number;
}

/** A corpus as readers see it. */
export interface CorpusState extends CorpusRecord {
  /** What the live version holds, by access list. */
  countsByAcl: ReadonlyMap<number, Counts>;
}

/**
 * A tenant's index at a moment: never changed, only replaced. Whoever reads takes one and keeps to it, so that an
 * answer never mixes versions.
 */
export interface TenantState {
  /** Changes whenever readers may see something else. */
  revision: string;
  revisionNumber: number;
  epoch: string;
  /** By name, in order of name. */
  corpora: ReadonlyMap<string, CorpusState>;
  /** The tenant's terms. */
  terms: Terms;
  /** Numbers of the access lists that the principal passes. */
  aclIdsOf(principal: Principal): readonly number[];
  /** Documents and chunks of the live version that the principal may see. */
  visibleCounts(corpus: CorpusState, principal: Principal): Counts;
}

/**
 * Whether a corpus exists for the principal: a corpus that holds documents, but none that the principal may see, does
 * not. Those who run indices see every corpus.
 */
export function isVisible(state: TenantState, corpus: CorpusState, principal: Principal): boolean {
  if (principal.roles.includes(Role.SERVICE) || principal.roles.includes(Role.OPERATOR)) return true;
  return corpus.countsByAcl.size === 0 || state.visibleCounts(corpus, principal).documentCount > 0;
}

/** The terms, made ready once for as long as they stay the same. */
function termsOf({ terms = noTerms }: TenantRecord, before: TenantState | undefined): Terms {
  const isSame = before !== undefined && JSON.stringify(before.terms.record) === JSON.stringify(terms);
  return isSame ? before.terms : createTerms(terms);
}

/** A revision as callers know it. */
export function revisionText(epoch: string, revision: number): string {
  return `${epoch}-${revision}`;
}

/** Access sets that are remembered until the state changes. */
const maxRemembered = 1000;

/** Reads what a tenant's readers need. `before`: a state whose unchanged parts can be kept. */
export async function loadTenantState(
  catalog: Catalog,
  tenant: string,
  record: TenantRecord,
  before: TenantState | undefined,
): Promise<TenantState> {
  const corpora = await Promise.all(
    record.corpora.map(async (corpus): Promise<CorpusState> => {
      const known = before?.epoch === record.epoch ? before.corpora.get(corpus.name) : undefined;
      const isSame = known !== undefined && known.live === corpus.live && known.revision === corpus.revision;
      const countsByAcl = isSame ? known.countsByAcl : await readCounts(catalog, tenant, corpus);
      return { ...corpus, countsByAcl };
    }),
  );
  const aclIdsByGroup = new Map<string, number[]>();
  for (const { aclId, groups } of record.acls) {
    for (const group of groups) {
      const ids = aclIdsByGroup.get(group);
      if (ids === undefined) aclIdsByGroup.set(group, [aclId]);
      else ids.push(aclId);
    }
  }
  const remembered = new Map<string, { aclIds: readonly number[]; counts: Map<number, Counts> }>();
  const accessOf = (principal: Principal) => {
    const groups = visibleGroups(principal);
    const key = JSON.stringify(groups);
    let access = remembered.get(key);
    if (access === undefined) {
      const aclIds = new Set(groups.flatMap((group) => aclIdsByGroup.get(group) ?? []));
      access = { aclIds: [...aclIds].sort((a, b) => a - b), counts: new Map() };
      if (remembered.size >= maxRemembered) remembered.clear();
      remembered.set(key, access);
    }
    return access;
  };
  return {
    revision: revisionText(record.epoch, record.revision),
    revisionNumber: record.revision,
    epoch: record.epoch,
    corpora: new Map(corpora.map((corpus) => [corpus.name, corpus])),
    terms: termsOf(record, before),
    aclIdsOf: (principal) => accessOf(principal).aclIds,
    visibleCounts(corpus, principal) {
      const { aclIds, counts } = accessOf(principal);
      let visible = counts.get(corpus.corpusId);
      if (visible === undefined) {
        visible = { documentCount: 0, chunkCount: 0 };
        for (const aclId of aclIds) {
          const some = corpus.countsByAcl.get(aclId);
          visible.documentCount += some?.documentCount ?? 0;
          visible.chunkCount += some?.chunkCount ?? 0;
        }
        counts.set(corpus.corpusId, visible);
      }
      return visible;
    },
  };
}

async function readCounts(catalog: Catalog, tenant: string, corpus: CorpusRecord): Promise<Map<number, Counts>> {
  if (corpus.live === 0) return new Map();
  const counts = await catalog.documents.countByAcl(tenant, corpus.corpusId, corpus.live);
  return new Map(counts.map(({ aclId, documentCount, chunkCount }) => [aclId, { documentCount, chunkCount }]));
}

/** The state of a tenant without any corpus. */
export const emptyTenantState: TenantState = {
  revision: '',
  revisionNumber: 0,
  epoch: '',
  corpora: new Map(),
  terms: createTerms(noTerms),
  aclIdsOf: () => [],
  visibleCounts: () => ({ documentCount: 0, chunkCount: 0 }),
};
