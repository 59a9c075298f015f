import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '#kit/base/log.ts';
import { createNetworks } from '#kit/http/networks.ts';
import type { EdgeSettings } from '../config.ts';
import { type KeyEntry, keySourceOf } from '../credentials/api-keys.ts';
import { createAuthenticator } from '../credentials/authenticate.ts';
import { type DevKeys, devKeyEntries } from '../credentials/dev-keys.ts';
import { createJwtVerifier } from '../credentials/jwt.ts';
import type { ManagedKeys } from '../credentials/managed-keys.ts';
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
  /** Keys and tenants of the service `accounts`. */
  managed: Pick<ManagedKeys, 'find' | 'requireKnown' | 'isDisabled' | 'noteUse'>;
}

/** Creates the gate. */
export function createLiveGate(first: EdgeSettings, deps: LiveGateDeps): LiveGate {
  const { clock, log, devKeys, managed, limiter, signer } = deps;
  let settings = first;
  // Kept while its settings stay the same: it holds the keys of the identity provider.
  let verifyJwt = first.jwt && createJwtVerifier(first.jwt, clock);
  const keysOf = ({ usesDevKeys, apiKeys }: EdgeSettings) =>
    usesDevKeys && devKeys !== undefined ? devKeyEntries(devKeys) : apiKeys;
  const onWrongAddress = (keyId: string, address: string) =>
    log.warn({ event: 'api_key_wrong_address', key_id: keyId, address }, 'API key from a wrong address');
  const createCurrent = () => {
    const { tenantLimit, userLimit, anonymousLimit, trustedProxies } = settings;
    const { requireKnown, isDisabled, noteUse: onUse } = managed;
    const keys = [keySourceOf(keysOf(settings)), managed];
    const authenticate = createAuthenticator({ keys, verifyJwt, requireKnown }, clock, { onUse, onWrongAddress });
    const limits = { tenantLimit, userLimit, anonymousLimit, trustedProxies: createNetworks(trustedProxies) };
    return createGate({ authenticate, limiter, signer, isDisabled, ...limits });
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
