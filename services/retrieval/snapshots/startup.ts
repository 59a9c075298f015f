import type { SnapshotEntry, SnapshotRegistry, SnapshotTarget } from './registry.ts';

/** What {@link loadAll} needs. */
export interface StartupDeps {
  registry: SnapshotRegistry;
  load(target: SnapshotTarget, maxBytes: number): Promise<void>;
  /** Whether no more corpora are loaded. */
  isOff(): boolean;
  onError(error: unknown): void;
}

/** Loads corpora in this order until memory is full. Resolves to the tenants that were loaded, in the same order; never rejects. */
export async function loadAll(
  targets: AsyncIterable<SnapshotTarget>,
  { registry, load, isOff, onError }: StartupDeps,
): Promise<readonly string[]> {
  const loaded: SnapshotEntry[] = [];
  try {
    for await (const target of targets) {
      const free = registry.freeBytes();
      if (isOff() || free <= 0) break;
      await load(target, free);
      const entry = registry.find(target);
      if (entry?.state === 'too-large') registry.release(entry);
      else if (entry !== undefined) loaded.push(entry);
    }
  } catch (error) {
    onError(error);
  }
  // The first are the most recently used.
  for (const entry of loaded.toReversed()) if (!entry.isReleased) registry.touch(entry);
  return [...new Set(loaded.map(({ target }) => target.tenant))];
}
