import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Networks } from '#kit/http/networks.ts';
import type { NodeRequest } from '#kit/http/server/port.ts';
import type { TokenSigner } from '#kit/rpc/identity.ts';
import type { RateLimit } from '../config.ts';
import type { Authenticate, Caller } from '../credentials/authenticate.ts';
import { addressOf, headersOf, networkOf, type RequestHead } from '../http/request.ts';
import type { Level, Limiter } from './limiter.ts';

/** A request that was admitted. */
export interface Admission extends Caller {
  /** The mesh's own token for the principal; what services believe. */
  token: string;
  /** The rate limit of which the caller has least left. */
  rate: RateStanding;
}

/** What is left of a rate limit. */
export interface RateStanding extends Level {
  /** Requests at the same moment, if the bucket is full. */
  limit: number;
}

/**
 * Admits a request before any of its body is read. Throws UNAUTHENTICATED, or RESOURCE_EXHAUSTED with RetryInfo when the
 * tenant or the user sends too many requests, or an address too many that fail to authenticate.
 */
export type Admit = (request: NodeRequest, signal?: AbortSignal) => Promise<Admission>;

/** The gate that every face calls before it reads a body. */
export interface Gate {
  /** See {@link Admit}. */
  admit(request: RequestHead, signal?: AbortSignal): Promise<Admission>;
  /** Admits a request to what is open to everybody. Throws RESOURCE_EXHAUSTED when its address sends too many. */
  admitAnonymous(request: RequestHead, signal?: AbortSignal): Promise<void>;
}

/** What the gate needs. */
export interface GateParts {
  authenticate: Authenticate;
  limiter: Pick<Limiter, 'take'>;
  signer: TokenSigner;
  tenantLimit: RateLimit;
  userLimit: RateLimit;
  /** For each address, requests without valid credentials. */
  anonymousLimit: RateLimit;
  /** Proxies whose word counts for the address of a caller. */
  trustedProxies: Networks;
  /** Whether the callers of a tenant are refused. */
  isDisabled(tenant: string): boolean;
}

/** Creates the gate. */
export function createGate(parts: GateParts): Gate {
  const { authenticate, limiter, signer, tenantLimit, userLimit, anonymousLimit, trustedProxies, isDisabled } = parts;
  const admitAnonymous = async (request: RequestHead, signal?: AbortSignal) => {
    const bucket = { key: `address ${networkOf(addressOf(request, trustedProxies))}`, ...anonymousLimit };
    const verdict = await limiter.take([bucket], signal);
    if (!verdict.admitted) throw rateLimited('address', anonymousLimit, verdict.retryAfterMs);
  };
  return {
    admitAnonymous,
    async admit(request, signal) {
      const address = addressOf(request, trustedProxies);
      const caller = await authenticate(headersOf(request), address).catch(async (error: unknown) => {
        if (error instanceof ConnectError && error.code === Code.Unauthenticated) await admitAnonymous(request, signal);
        throw error;
      });
      const { principal } = caller;
      if (isDisabled(principal.tenant)) {
        throw rpcError(Code.PermissionDenied, ErrorReason.TENANT_DISABLED, 'this tenant is disabled: ask the operator');
      }
      const tenant = { key: `tenant ${principal.tenant}`, ...tenantLimit };
      const user = { key: `user ${principal.tenant} ${principal.user}`, ...userLimit };
      const verdict = await limiter.take([tenant, user], signal);
      if (!verdict.admitted) {
        const isTenant = verdict.key === tenant.key;
        throw rateLimited(isTenant ? 'tenant' : 'user', isTenant ? tenantLimit : userLimit, verdict.retryAfterMs);
      }
      const [ofTenant, ofUser] = verdict.levels as [Level, Level];
      const rate =
        ofTenant.remaining < ofUser.remaining
          ? { ...ofTenant, limit: tenantLimit.burst }
          : { ...ofUser, limit: userLimit.burst };
      return { ...caller, token: await signer.sign(principal), rate };
    },
  };
}

function rateLimited(scope: 'tenant' | 'user' | 'address', { perSecond, burst }: RateLimit, retryAfterMs: number) {
  return rpcError(
    Code.ResourceExhausted,
    ErrorReason.RATE_LIMITED,
    `the ${scope} asks too often: ${perSecond} requests a second are allowed, try again in ${retryAfterMs} ms`,
    { retryAfterMs, metadata: { scope, limit: 'requests_per_second', value: String(burst) } },
  );
}
