// The pure part of the waiting room: the order in which the waiting requests of one tenant try to reserve a slot.

/** A request that waits for a slot. */
export interface Waiting {
  /** Name of the scope whose slots are all taken. */
  readonly blockedBy: string;
}

/** A pass over the waiting requests of a tenant, one reservation at a time. */
export interface Pass<T extends Waiting> {
  /** The request whose reservation is being tried. */
  readonly current: T;
  /** The requests after it, as of the start of the pass. */
  readonly rest: readonly T[];
  /** Scopes that were found full in this pass. */
  readonly full: ReadonlySet<string>;
  /** Whether something has changed since the start of the pass, so that another pass follows. */
  readonly isStale: boolean;
}

/** What happened. `line`: the requests of the tenant that wait now, the first one first. */
export type PassEvent<T extends Waiting> = { readonly line: readonly T[] } & (
  | /** A slot may be free: a reservation was settled, the limits changed, or a request joined during a pass. */
  { readonly kind: 'changed' }
  /** No slot of the scope is free for the current request. */
  | { readonly kind: 'full'; readonly scope: string }
  /** The current request waits no longer: it was admitted, refused, or has left. */
  | { readonly kind: 'decided' }
);

/** The scope of the tenant itself, which all of its requests share. */
const tenantScope = 'tenant';

/**
 * Returns the pass after an event; `undefined`: no request is tried. A slot of a key is useless to requests of other keys, so a full key
 * stops only its own requests. A full tenant stops all of them.
 */
export function next<T extends Waiting>(pass: Pass<T> | undefined, event: PassEvent<T>): Pass<T> | undefined {
  if (event.kind === 'changed') return pass === undefined ? startPass(event.line) : { ...pass, isStale: true };
  if (pass === undefined) return undefined;
  const full = event.kind === 'full' ? new Set([...pass.full, event.scope]) : pass.full;
  if (!full.has(tenantScope)) {
    const at = pass.rest.findIndex((waiting) => !full.has(waiting.blockedBy) && event.line.includes(waiting));
    const current = pass.rest[at];
    if (current !== undefined) return { ...pass, current, rest: pass.rest.slice(at + 1), full };
  }
  return pass.isStale ? startPass(event.line) : undefined;
}

function startPass<T extends Waiting>(line: readonly T[]): Pass<T> | undefined {
  const [current, ...rest] = line;
  return current === undefined ? undefined : { current, rest, full: new Set(), isStale: false };
}
