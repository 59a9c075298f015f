import { Exposure } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { requireRole } from '#kit/rpc/interceptors/identity.ts';
import { isPublic, policyOf } from '#kit/rpc/policy.ts';
import type { ServerCall } from '#kit/rpc/server-call.ts';
import type { RequestHead } from '../http/request.ts';
import type { Admission, Gate } from './admission.ts';
import { requireEdgeRole } from './model-access.ts';

/**
 * Admits a call by its headers alone: who calls, how often, in which role. Returns `undefined` for what is open to everybody.
 * Throws to refuse the call.
 */
export async function admitCall(call: ServerCall, head: RequestHead, gate: Gate): Promise<Admission | undefined> {
  const { method, signal } = call;
  // Health and reflection have no policy: they are open to everybody, at a limited rate.
  if (policyOf(method).exposure === Exposure.UNSPECIFIED) {
    await gate.admitAnonymous(head, signal);
    return undefined;
  }
  const admission = await gate.admit(head, signal);
  const { principal, token } = admission;
  if (isPublic(method)) {
    requireRole(method, principal);
    requireEdgeRole(principal, method);
  }
  call.identify(principal, `Bearer ${token}`);
  return admission;
}
