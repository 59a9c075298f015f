import { type DescMethod, getOption } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import { Exposure, type Role, RoleSchema, type RpcPolicy, rpc } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { enumName } from '../base/enums.ts';

const cache = new WeakMap<DescMethod, RpcPolicy>();

/** What the contract says of how `method` may be called. Methods of foreign contracts (health, reflection) have an empty policy. */
export function policyOf(method: DescMethod): RpcPolicy {
  let policy = cache.get(method);
  if (policy === undefined) {
    policy = getOption(method, rpc);
    cache.set(method, policy);
  }
  return policy;
}

/** Whether the edge serves `method` to the outside. */
export function isPublic(method: DescMethod): boolean {
  return policyOf(method).exposure === Exposure.PUBLIC;
}

/** Whether the contract allows `method` to be tried again: it declares more than one attempt, and repeating it changes nothing. */
export function isRetryable(method: DescMethod): boolean {
  return policyOf(method).maxAttempts > 1 && mayRepeat(method);
}

/** Whether a second call of `method` changes nothing that the first has not changed. */
export function mayRepeat(method: DescMethod): boolean {
  return method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS || policyOf(method).isRepeatable;
}

/** Largest request message of a public method that declares none, in bytes. */
const publicRequestBytes = 64 << 10;
/** Largest request message of foreign contracts (health, reflection), in bytes. */
const foreignRequestBytes = 4 << 10;

/** Most values of a request message of a public method that declares none. */
const publicRequestValues = 10_000;
/** Most values of a request message of an internal method that declares none. */
const internalRequestValues = 100_000;

/** Bounds of a request message, to hold before it is parsed. */
export interface RequestBounds {
  maxBytes: number;
  /** Fields and list elements, unknown ones too. */
  maxValues: number;
}

/** Returns the bounds of a request message of `method`; its size is never more than `mostBytes`, the limit of the server. */
export function requestBoundsOf(method: DescMethod, mostBytes: number): RequestBounds {
  const { maxRequestBytes, maxRequestValues, exposure } = policyOf(method);
  const defaultBytes =
    exposure === Exposure.UNSPECIFIED
      ? foreignRequestBytes
      : exposure === Exposure.PUBLIC
        ? publicRequestBytes
        : mostBytes;
  return {
    maxBytes: Math.min(maxRequestBytes || defaultBytes, mostBytes),
    maxValues: maxRequestValues || (exposure === Exposure.INTERNAL ? internalRequestValues : publicRequestValues),
  };
}

/** Lower-case name of a role, as people write it: `reader`. */
export function roleName(role: Role): string {
  return enumName(RoleSchema, role).toLowerCase();
}

/**
 * Time that a call of `method` may take, in milliseconds: the caller's, capped by the contract's.
 * `undefined` if neither sets one.
 */
export function timeoutOf(method: DescMethod, callerMs: number | undefined): number | undefined {
  const cap = policyOf(method).timeoutMs;
  if (cap === 0) return callerMs;
  return callerMs === undefined ? cap : Math.min(callerMs, cap);
}
