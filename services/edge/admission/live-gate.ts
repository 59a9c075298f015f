import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '#kit/base/log.ts';
import type { EdgeSettings } from '../config.ts';
import type { KeyEntry } from '../credentials/api-keys.ts';
import { createAuthenticator } from '../credentials/authenticate.ts';
import { type DevKeys, devKeyEntries } from '../credentials/dev-keys.ts';
import { createJwtVerifier } from '../credentials/jwt.ts';
import { createGate, type Gate, type GateParts } from './admission.ts';

/** A gate whose credentials and limits change while it is in use. */
export interface LiveGate extends Gate {
  /** Development keys that are valid now; `undefined` when credentials are configured. */
  devKeys(): DevKeys | undefined;
  /** Applies credentials and limits to every request from now on, and logs what changed by the ids of the keys. */
  reconfigure(settings: EdgeSettings): void;
}

/** What the gate needs besides its settings. */
export interface LiveGateDeps extends Pick<GateParts, 'limiter' | 'signer'> {
  clock: () => number;
  log: Logger;
  devKeys: DevKeys | undefined;
}

/** Creates the gate. */
export function createLiveGate(first: EdgeSettings, { clock, log, devKeys, limiter, signer }: LiveGateDeps): LiveGate {
  let settings = first;
  // Kept while its settings stay the same: it holds the keys of the identity provider.
  let verifyJwt = first.jwt && createJwtVerifier(first.jwt, clock);
  const keysOf = ({ usesDevKeys, apiKeys }: EdgeSettings) =>
    usesDevKeys && devKeys !== undefined ? devKeyEntries(devKeys) : apiKeys;
  const createCurrent = () => {
    const { tenantLimit, userLimit, anonymousLimit } = settings;
    const authenticate = createAuthenticator({ keys: keysOf(settings), verifyJwt }, clock);
    return createGate({ authenticate, limiter, signer, tenantLimit, userLimit, anonymousLimit });
  };
  let current = createCurrent();
  return {
    admit: (request, signal) => current.admit(request, signal),
    admitAnonymous: (request, signal) => current.admitAnonymous(request, signal),
    devKeys: () => (settings.usesDevKeys ? devKeys : undefined),
    reconfigure(next) {
      const previous = settings;
      const isSameJwt = isDeepStrictEqual(next.jwt, previous.jwt);
      if (!isSameJwt) verifyJwt = next.jwt && createJwtVerifier(next.jwt, clock);
      settings = next;
      current = createCurrent();
      const keys = compareKeys(keysOf(previous), keysOf(next));
      log.info({ event: 'edge_reloaded', ...keys, jwtChanged: !isSameJwt }, 'edge credentials and limits reloaded');
    },
  };
}

/** Returns the ids of keys that came, went, or have another secret, principal or expiry. */
function compareKeys(before: readonly KeyEntry[], after: readonly KeyEntry[]) {
  const old = new Map(before.map((entry) => [entry.id, entry]));
  const ids = new Set(after.map(({ id }) => id));
  return {
    keysAdded: after.filter(({ id }) => !old.has(id)).map(({ id }) => id),
    keysRevoked: before.filter(({ id }) => !ids.has(id)).map(({ id }) => id),
    keysChanged: after
      .filter((entry) => old.has(entry.id) && !isDeepStrictEqual(entry, old.get(entry.id)))
      .map(({ id }) => id),
  };
}
