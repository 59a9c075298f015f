import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { isInCorpora, visibleGroups } from '#kit/rpc/access.ts';
import type { AccessScope } from '../stores/index-row.ts';

// A principal becomes a condition on rows only here. Every search, read and count of a reader gets its access lists from this file. The
// stores and the catalog apply them inside their queries, before ranking.

/** Counts of documents and chunks. */
export interface Counts {
  documentCount: number;
  chunkCount: number;
}

/** A corpus at its live version. */
export interface CountedCorpus {
  name: string;
  corpusId: number;
  /** The live version; 0: none yet. */
  live: number;
  /** Counts of the live version by access list. */
  countsByAcl: ReadonlyMap<number, Counts>;
}

/** Decides what a principal may see of a tenant's index, at one state of the index. */
export interface Visibility {
  /** Returns the numbers of the access lists that include the principal, ascending. */
  aclIdsOf(principal: Principal): readonly number[];
  /** Returns the scope of a read by the principal: these corpora at their live versions. */
  scopeOf(corpora: readonly CountedCorpus[], principal: Principal): AccessScope;
  /** Returns the counts of the live version that the principal may see. */
  countsOf(corpus: CountedCorpus, principal: Principal): Counts;
  /** Returns whether every corpus exists for the principal, as it does for operators and services. */
  seesAll(principal: Principal): boolean;
  /**
   * Returns whether the corpus exists for the principal. A corpus with documents, none of which the principal may see, does not.
   * Operators and services see every corpus. No one sees a corpus that the limit of the key leaves out.
   */
  isVisible(corpus: CountedCorpus, principal: Principal): boolean;
}

/** Sets of groups whose access lists are kept. */
const maxKept = 1000;

/** Creates the visibility of an index with these access lists. */
export function createVisibility(acls: readonly { aclId: number; groups: readonly string[] }[]): Visibility {
  const aclIdsByGroup = byGroup(acls);
  const kept = new Map<string, { aclIds: readonly number[]; counts: Map<number, Counts> }>();

  const accessOf = (principal: Principal) => {
    const groups = visibleGroups(principal);
    const key = JSON.stringify(groups);
    let access = kept.get(key);
    if (access === undefined) {
      const aclIds = new Set(groups.flatMap((group) => aclIdsByGroup.get(group) ?? []));
      access = { aclIds: [...aclIds].sort((a, b) => a - b), counts: new Map() };
      if (kept.size >= maxKept) kept.clear();
      kept.set(key, access);
    }
    return access;
  };
  const countsOf = (corpus: CountedCorpus, principal: Principal): Counts => {
    const { aclIds, counts } = accessOf(principal);
    let visible = counts.get(corpus.corpusId);
    if (visible === undefined) {
      visible = sumOf(aclIds.map((aclId) => corpus.countsByAcl.get(aclId)));
      counts.set(corpus.corpusId, visible);
    }
    return visible;
  };
  return {
    aclIdsOf: (principal) => accessOf(principal).aclIds,
    scopeOf: (corpora, principal) => ({
      corpora: corpora
        .filter(({ name }) => isInCorpora(principal, name))
        .map(({ corpusId, live }) => ({ corpusId, version: live })),
      aclIds: accessOf(principal).aclIds,
    }),
    countsOf,
    seesAll,
    isVisible(corpus, principal) {
      if (!isInCorpora(principal, corpus.name)) return false;
      if (seesAll(principal)) return true;
      return corpus.countsByAcl.size === 0 || countsOf(corpus, principal).documentCount > 0;
    },
  };
}

function seesAll({ roles }: Principal): boolean {
  return roles.includes(Role.SERVICE) || roles.includes(Role.OPERATOR);
}

function byGroup(acls: readonly { aclId: number; groups: readonly string[] }[]): Map<string, number[]> {
  const aclIdsByGroup = new Map<string, number[]>();
  for (const { aclId, groups } of acls) {
    for (const group of groups) {
      const ids = aclIdsByGroup.get(group);
      if (ids === undefined) aclIdsByGroup.set(group, [aclId]);
      else ids.push(aclId);
    }
  }
  return aclIdsByGroup;
}

function sumOf(parts: readonly (Counts | undefined)[]): Counts {
  const sum = { documentCount: 0, chunkCount: 0 };
  for (const part of parts) {
    sum.documentCount += part?.documentCount ?? 0;
    sum.chunkCount += part?.chunkCount ?? 0;
  }
  return sum;
}
