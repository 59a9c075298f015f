import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/errors.ts';
import type { TokenSigner } from '#kit/identity.ts';
import type { RateLimit } from './config.ts';
import type { Authenticate, Caller, HeaderReader } from './credentials/authenticate.ts';
import type { Limiter } from './limiter.ts';

/** A request that may go on. */
export interface Admission extends Caller {
  /** The mesh's own token for the principal; what services believe. */
  token: string;
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
    const caller = await authenticate(header);
    const { principal } = caller;
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
    return { ...caller, token: await signer.sign(principal) };
  };
}
