/** What can help after a failure of a provider. */
export type Remedy =
  /** Another attempt at this target or another one: overload, rate limit, broken connection. */
  | 'retry'
  /** Only another target: wrong key, unknown model, quota or billing, a missing feature. */
  | 'elsewhere'
  /** Only a change of the request: it is invalid. */
  | 'fix-request';

/** The parts of a provider's failure. */
export interface ProviderFailure {
  remedy: Remedy;
  /** What failed and what to do, in the gateway's own words; never the provider's text, which may repeat a prompt or a key. */
  message: string;
  /** HTTP status; `undefined`: no response, or a failure inside a stream. */
  status?: number | undefined;
  /** The provider's own code ("insufficient_quota"), for logs and metrics; empty: none. */
  code?: string;
  /** The class of the failure, from which the caller's status code follows; default by the remedy. */
  kind?:
    | 'rate-limited'
    | 'quota'
    | 'auth'
    | 'model-unknown'
    | 'too-long'
    | 'overloaded'
    | 'timeout'
    | 'broken'
    | 'invalid';
  /** Time for which the provider asks clients to back off, in milliseconds; `undefined`: it asks for none. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A failure of a provider, classified by what can help. A refusal of a content filter is not a failure but an outcome. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly remedy: Remedy;
  readonly status: number | undefined;
  readonly code: string;
  readonly kind: NonNullable<ProviderFailure['kind']>;
  readonly retryAfterMs: number | undefined;

  constructor({ remedy, message, status, code = '', kind, retryAfterMs, cause }: ProviderFailure) {
    super(message, { cause });
    this.remedy = remedy;
    this.status = status;
    this.code = code.slice(0, 64);
    this.kind = kind ?? (remedy === 'retry' ? 'broken' : remedy === 'elsewhere' ? 'auth' : 'invalid');
    this.retryAfterMs = retryAfterMs;
  }
}
