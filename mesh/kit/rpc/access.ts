import type { AccessList, Principal } from '#gen/ragmesh/common/v1/common_pb.ts';

// Who may see what. Every store query, cache key and citation fetch of ragmesh asks here and nowhere else.

/** The group of everyone in the tenant. It cannot be granted: names of groups never begin with a star. */
export const everyone = '*';

/** Groups by which the principal sees documents, sorted, without repeats; the first one is {@link everyone}. */
export function visibleGroups(principal: Principal): string[] {
  const groups = new Set(principal.groups.filter((group) => !group.startsWith(everyone)));
  return [everyone, ...[...groups].sort()];
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

/** A text that is the same for principals who see the same documents of the same tenant: part of every cache key. */
export function accessKey(principal: Principal): string {
  return JSON.stringify([principal.tenant, visibleGroups(principal)]);
}
