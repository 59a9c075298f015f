/** What a user has written and not published, by the names of fields. */
export type Draft = Readonly<Record<string, string>>;

/** The storage of the browser that keeps drafts. */
export type DraftStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

const prefix = 'ragmesh.draft.';

/** Returns the draft of a name; empty if none is kept. */
export function readDraft(storage: DraftStorage, name: string): Draft {
  const text = storage.getItem(prefix + name);
  if (text === null) return {};
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null) return {};
  return Object.fromEntries(
    Object.entries(parsed).filter((field): field is [string, string] => typeof field[1] === 'string'),
  );
}

/** Keeps a draft. One that is larger than the storage is kept by the page alone, until it is left. */
export function keepDraft(storage: DraftStorage, name: string, draft: Draft): void {
  try {
    storage.setItem(prefix + name, JSON.stringify(draft));
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'QuotaExceededError')) throw error;
    storage.removeItem(prefix + name); // half a text would look like the whole one
  }
}

/** Removes a draft: it is published, or given up. */
export function forgetDraft(storage: DraftStorage, name: string): void {
  storage.removeItem(prefix + name);
}

/** Removes all drafts: the next user of the tab is another one. */
export function forgetDrafts(storage: DraftStorage): void {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '');
  for (const name of names) if (name.startsWith(prefix)) storage.removeItem(name);
}
