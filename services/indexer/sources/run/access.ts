import type { SourceSettings } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { SourceRecord } from '../records/source-store.ts';
import type { EntryAccess } from '../source.ts';

/** Groups in an access list. */
const groupsMax = 64;

/** Returns the group of a source itself: it is on every list of groups that the source writes, so that the source can write again. */
export const ownGroup = (sourceId: string) => `source:${sourceId}`;

/** Returns the user for whom a source's jobs act: its creator, who also sees what the source has written. */
export function callerOf({ tenant, user, groups, sourceId }: SourceRecord) {
  return { tenant, user, groups: [...groups, ownGroup(sourceId)] };
}

/**
 * Returns the groups here of those that the source names, as text that can be compared: sorted JSON. A group without a mapping is no one;
 * of more than an access list may have, the last ones see nothing.
 */
export function mapAccess(settings: SourceSettings, groups: EntryAccess['groups']): string {
  if (groups === 'everyone') return JSON.stringify('everyone');
  const mapped = settings.groupMappings.filter(({ sourceGroup }) => groups.includes(sourceGroup));
  const names = [...new Set(mapped.map(({ group }) => group))].sort();
  return JSON.stringify(names.slice(0, groupsMax - 1));
}

/** Returns the access list of an entry's documents; empty: everyone in the tenant. `access`: as {@link mapAccess} made it. */
export function groupsOf({ settings, sourceId }: SourceRecord, access: string | null): string[] {
  const own = ownGroup(sourceId);
  const byDefault = settings.defaultAccess?.groups ?? [];
  if (!settings.syncPermissions) return byDefault.length === 0 ? [] : restricted(byDefault, own);
  // Not known: visible to the source alone.
  if (access === null) return [own];
  const names = JSON.parse(access) as 'everyone' | string[];
  if (names === 'everyone') return byDefault.length === 0 ? [] : restricted(byDefault, own);
  return restricted(names, own);
}

const restricted = (groups: readonly string[], own: string) => [...new Set([...groups.slice(0, groupsMax - 1), own])];

/** Reports whether someone who sees a document with the groups `before` cannot see it with `after`. */
export function isNarrower(before: readonly string[], after: readonly string[]): boolean {
  if (after.length === 0) return false;
  return before.length === 0 || before.some((group) => !after.includes(group));
}
