/** What the gateway may do about a failure of a provider. */
export type Remedy =
  /** Wait, and try here again or elsewhere: overload, rate limit, broken connection. */
  | 'retry'
  /** Only another target can help: wrong key, no such model, quota or billing, a feature that this one lacks. */
  | 'elsewhere'
  /** Nothing but a change of the request helps: the caller's fault. */
  | 'fix-request';

/** What is known of a failure. */
export interface ProviderFailure {
  remedy: Remedy;
  /** In our words, what went wrong and what to do; never text of the provider, which may repeat a prompt or a key. */
  message: string;
  /** HTTP status; `undefined`: no reply, or inside a stream. */
  status?: number | undefined;
  /** The provider's own short word for it ("insufficient_quota"), for logs and metrics; empty where there is none. */
  code?: string;
  /** What a client of the gateway should be told; default by the remedy. */
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
  /** How long the provider wants to be left alone. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A failure of a provider, told apart by what helps against it. A content filter's refusal is none: that is an outcome. */
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
