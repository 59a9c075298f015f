import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { ConnectError, Transport } from '@connectrpc/connect';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { TokenVerifier } from '../rpc/identity.ts';
import { concurrencyObserver } from '../rpc/interceptors/concurrency.ts';
import { identityInterceptor } from '../rpc/interceptors/identity.ts';
import { loggingObserver } from '../rpc/interceptors/logging.ts';
import { metricsObserver } from '../rpc/interceptors/metrics.ts';
import { observing } from '../rpc/interceptors/observe.ts';
import { tracingInterceptor } from '../rpc/interceptors/tracing.ts';
import { validationInterceptor } from '../rpc/interceptors/validation.ts';
import { createInvocable, type Interceptor, type Invocable } from '../rpc/invoke.ts';
import { createLocalTransport } from '../rpc/local/mount.ts';
import type { ServerCall } from '../rpc/server-call.ts';

/** The implementations of a process, bound to their methods, for the network and for local calls. */
export interface Faces {
  /** Methods for the network. */
  readonly network: readonly Invocable[];
  /** Calls without a network. */
  readonly local: Transport;
  /** Mounts a contract of a service, behind metrics, logging, a limit of concurrent calls, identity and validation. */
  mountService(contracts: readonly DescService[], impl: object): void;
  /** Mounts a contract that any client may call: health, reflection. */
  mountOpen(contract: DescService, impl: object): void;
  /** Ends every call in flight with `reason`. */
  abortCalls(reason: ConnectError): void;
}

/** What the faces of a process need. */
export interface FacesDeps {
  log: Logger;
  metrics: Metrics;
  verifier: TokenVerifier;
  /** Calls in flight, for each service; more are refused. */
  maxConcurrent: number;
  /** Whether local calls have spans of their own. */
  tracing: boolean;
}

/** Creates the faces of a process, with nothing mounted. */
export function createFaces({ log, metrics, verifier, maxConcurrent, tracing }: FacesDeps): Faces {
  const methods = new Map<DescMethod, Invocable>();
  const network: Invocable[] = [];
  const callsByService: Set<ServerCall>[] = [];
  metrics.countCallsWith(() => callsByService.reduce((sum, calls) => sum + calls.size, 0));
  const mount = (contract: DescService, impl: object, interceptors: readonly Interceptor[]) => {
    for (const method of contract.methods) {
      const handler = (impl as Record<string, unknown>)[method.localName];
      const bound = (handler as ((...args: unknown[]) => unknown) | undefined)?.bind(impl);
      network.push(createInvocable(method, bound, interceptors));
      methods.set(
        method,
        createInvocable(method, bound, tracing ? [tracingInterceptor(), ...interceptors] : interceptors),
      );
    }
  };
  return {
    network,
    local: createLocalTransport(methods),
    mountService(contracts, impl) {
      const calls = new Set<ServerCall>();
      callsByService.push(calls);
      const interceptors = [
        observing([metricsObserver(metrics), loggingObserver(log), concurrencyObserver(maxConcurrent, calls)]),
        identityInterceptor(verifier),
        validationInterceptor(),
      ];
      for (const contract of contracts) mount(contract, impl, interceptors);
    },
    mountOpen: (contract, impl) => mount(contract, impl, []),
    abortCalls(reason) {
      for (const call of callsByService.flatMap((calls) => [...calls])) call.abort(reason);
    },
  };
}
