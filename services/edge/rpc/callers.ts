import type { RunningService } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { Interceptor, Invocable } from '#kit/rpc/invoke.ts';
import type { ServerCall } from '#kit/rpc/server-call.ts';
import type { Admission } from '../admission/admission.ts';
import { admitCall } from '../admission/admit-call.ts';
import { type EdgeDeps, type Entrance, openEntrance } from '../admission/entrance.ts';
import type { EdgeSettings } from '../config.ts';
import { isLoopback } from '../credentials/loopback.ts';
import { type EdgeLimits, edgeLimits } from '../http/limits.ts';
import type { RequestHead } from '../http/request.ts';
import { proxyMethods } from './proxy.ts';

// Callers of the gRPC port of any process who have credentials of their own. They pass the gate of the edge, and get what its own port
// serves: the same methods, models, corpora and limits.

/** Returns the public rpcs for such callers; none if `grpc.admit_credentials` is off. Internal ones are UNIMPLEMENTED. */
export function createCallers(
  { wholeConfig: { grpc }, published, log }: Pick<EdgeDeps, 'wholeConfig' | 'published' | 'log'>,
  { gate, running }: Pick<Entrance, 'gate' | 'running'>,
  limits: EdgeLimits,
): Invocable[] {
  if (grpc?.admitCredentials !== true) return [];
  if (grpc.tls === undefined && !isLoopback(grpc.host)) {
    const advice = 'set grpc.tls, unless a service mesh encrypts the connections';
    log.warn({ event: 'credentials_in_clear', host: grpc.host, advice }, 'gRPC port takes credentials unencrypted');
  }
  const admissions = new WeakMap<CallContext, Admission>();
  const admitting: Interceptor = (next) => async (call) => {
    const admission = await admitCall(call, headOf(call), gate);
    if (admission !== undefined) admissions.set(call, admission);
    return next(call);
  };
  const parts = { limits, running, admissions };
  return published.flatMap(({ contract, client }) => proxyMethods(contract, client, parts, [admitting]));
}

/** Opens the entrance of a process in which the edge does not run. */
export async function openCallers(
  deps: EdgeDeps,
  managed?: Parameters<typeof openEntrance>[1],
): Promise<RunningService<readonly [], EdgeSettings>> {
  const entrance = await openEntrance(deps, managed);
  return {
    impl: {},
    readiness: [entrance.readiness],
    callers: createCallers(deps, entrance, edgeLimits),
    reconfigure: async (next) => entrance.reconfigure(next),
    close: () => entrance.close(),
  };
}

function headOf({ requestHeader, peerAddress }: ServerCall): RequestHead {
  return { headers: Object.fromEntries(requestHeader), socket: { remoteAddress: peerAddress } };
}
