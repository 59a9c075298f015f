import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';

/** Age from which the keys are fetched again, in the background, in milliseconds. */
const maxAgeMs = 600_000;
/** Age up to which keys are used although they cannot be fetched: a provider that is away must not lock its users out. */
const longestUseMs = 24 * 3_600_000;
/** Time between two attempts to fetch keys again. */
const attemptMs = 30_000;

/**
 * Returns the keys of an identity provider at a URL (JWKS, RFC 7517). They are fetched with the first token, every ten minutes, and when a
 * token names an unknown key. While they cannot be fetched, the last ones are used for a day. Rejects if there are none.
 */
export function createRemoteKeys(url: URL, clock: () => number): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: 5_000,
    cooldownDuration: attemptMs,
    cacheMaxAge: Number.POSITIVE_INFINITY,
  });
  let fetchedMs = Number.NEGATIVE_INFINITY;
  let attemptedMs = Number.NEGATIVE_INFINITY;
  const fetchKeys = async () => {
    attemptedMs = clock();
    await keys.reload();
    fetchedMs = clock();
  };
  return async (header, token) => {
    const age = clock() - fetchedMs;
    if (age > longestUseMs) await fetchKeys();
    else if (age > maxAgeMs && clock() - attemptedMs > attemptMs) fetchKeys().catch(() => {});
    return keys(header, token);
  };
}
