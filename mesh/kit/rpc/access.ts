import type { AccessList, Principal } from '#gen/ragmesh/common/v1/common_pb.ts';

// Who may see what. Every store query, cache key and citation fetch of ragmesh asks here and nowhere else.

/** The group of everyone in the tenant. It cannot be granted: names of groups never begin with a star. */
export const everyone = '*';

/** What follows from the groups of a principal. */
interface Access {
  groups: readonly string[];
  key: string;
}

// The principal of a verified token is the same object in each of its calls, and frozen.
const known = new WeakMap<Principal, Access>();

function accessOf(principal: Principal): Access {
  const found = known.get(principal);
  if (found !== undefined) return found;
  const named = new Set(principal.groups.filter((group) => !group.startsWith(everyone)));
  const groups = [everyone, ...[...named].sort()];
  // Callers whose key is limited to corpora see less, so they share nothing with others.
  const corpora = principal.corpora.length === 0 ? [] : [principal.corpora.toSorted()];
  const access = { groups, key: JSON.stringify([principal.tenant, groups, ...corpora]) };
  if (Object.isFrozen(principal)) known.set(principal, access);
  return access;
}

/** Groups by which the principal sees documents, sorted, without repeats; the first one is {@link everyone}. */
export function visibleGroups(principal: Principal): readonly string[] {
  return accessOf(principal).groups;
}

/** Groups that may see a document with this access list, sorted, without repeats; `[everyone]` if it names none. */
export function grantedGroups(access: AccessList | undefined): string[] {
  const groups = [...new Set(access?.groups ?? [])].sort();
  return groups.length === 0 ? [everyone] : groups;
}

/** Whether the principal may see a document with this access list. The tenant is checked by the store, which keeps documents by tenant. */
export function canSee(principal: Principal, access: AccessList | undefined): boolean {
  const visible = new Set(visibleGroups(principal));
  return grantedGroups(access).some((group) => visible.has(group));
}

/** Whether a corpus of the tenant exists for the principal by the limit of its key. */
export function isInCorpora({ corpora }: Principal, name: string): boolean {
  return corpora.length === 0 || corpora.includes(name);
}

/** A text that is the same for principals who see the same documents of the same tenant: part of every cache key. */
export function accessKey(principal: Principal): string {
  return accessOf(principal).key;
}
