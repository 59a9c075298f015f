import type { DescMethod } from '@bufbuild/protobuf';
import { isRetryable, policyOf } from '#kit/rpc/policy.ts';

/** An rpc, as the mesh treats it. */
export interface Rpc {
  /** "RetrievalService.Retrieve": unique in the mesh, short enough for logs and metrics. */
  readonly name: string;
  /** "/ragmesh.retrieval.v1.RetrievalService/Retrieve". */
  readonly path: string;
  /** Whether messages stream in either direction. The mesh then sets no timeout: it would cut a stream that lives. */
  readonly isStream: boolean;
  /** Longest time of the rpc with all its attempts, in milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Attempts after the first one; 0 unless the contract allows to repeat the rpc. */
  readonly retryCount: number;
}

/** Returns the rpc of a contract's method. */
export function toRpc(method: DescMethod): Rpc {
  const { timeoutMs, maxAttempts } = policyOf(method);
  return {
    name: `${method.parent.name}.${method.name}`,
    path: `/${method.parent.typeName}/${method.name}`,
    isStream: method.methodKind !== 'unary',
    timeoutMs,
    retryCount: isRetryable(method) ? maxAttempts - 1 : 0,
  };
}
