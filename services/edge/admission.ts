import { Code } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/errors.ts';
import type { TokenSigner } from '#kit/identity.ts';
import type { RateLimit } from './config.ts';
import type { Authenticate, HeaderReader } from './credentials/authenticate.ts';
import type { Limiter } from './limiter.ts';

/** A request that may go on. */
export interface Admission {
  principal: Principal;
  /** The mesh's own token for the principal; what services believe. */
  token: string;
  /** Id of the API key that was sent; `undefined` where the caller sent a JWT. */
  keyId?: string;
}

/**
 * Lets a request in, before any of its body is read. Throws UNAUTHENTICATED, or RESOURCE_EXHAUSTED with RetryInfo where the
 * tenant or the user asks too often.
 */
export type Admit = (header: HeaderReader, signal?: AbortSignal) => Promise<Admission>;

/** What admission rests on. */
export interface AdmissionParts {
  authenticate: Authenticate;
  limiter: Limiter;
  signer: TokenSigner;
  tenantLimit: RateLimit;
  userLimit: RateLimit;
}

/** Creates the gate that every face asks. */
export function createAdmission({ authenticate, limiter, signer, tenantLimit, userLimit }: AdmissionParts): Admit {
  return async (header, signal) => {
    const { principal, keyId } = await authenticate(header);
    const tenant = { key: `tenant ${principal.tenant}`, ...tenantLimit };
    const user = { key: `user ${principal.tenant} ${principal.user}`, ...userLimit };
    const verdict = await limiter.take([tenant, user], signal);
    if (!verdict.admitted) {
      const scope = verdict.key === tenant.key ? 'tenant' : 'user';
      const { perSecond } = scope === 'tenant' ? tenantLimit : userLimit;
      throw rpcError(
        Code.ResourceExhausted,
        ErrorReason.RATE_LIMITED,
        `the ${scope} asks too often: ${perSecond} requests a second are allowed, try again in ${verdict.retryAfterMs} ms`,
        { retryAfterMs: verdict.retryAfterMs, metadata: { scope } },
      );
    }
    return { principal, token: await signer.sign(principal), ...(keyId === undefined ? {} : { keyId }) };
  };
}
