import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import type { CallOptions, Client, ConnectError, Transport } from '@connectrpc/connect';
import type { Logger } from '../base/log.ts';
import type { Metrics, OpenStreams } from '../base/metrics/metrics.ts';
import { copyHeaders } from '../http/server/headers.ts';
import type { TokenVerifier } from '../rpc/identity.ts';
import { concurrencyObserver } from '../rpc/interceptors/concurrency.ts';
import { identityInterceptor } from '../rpc/interceptors/identity.ts';
import { loggingObserver } from '../rpc/interceptors/logging.ts';
import { beginCounts, metricsObserver } from '../rpc/interceptors/metrics.ts';
import { observing } from '../rpc/interceptors/observe.ts';
import { tracingInterceptor } from '../rpc/interceptors/tracing.ts';
import { prepareCheck, validationInterceptor } from '../rpc/interceptors/validation.ts';
import { createInvocable, type Interceptor, type Invocable } from '../rpc/invoke.ts';
import { createLocalTransport } from '../rpc/local/mount.ts';
import type { ServerCall } from '../rpc/server-call.ts';

/** The implementations of a process, bound to their methods, for the network and for local calls. */
export interface Faces {
  /** Methods for the network. */
  readonly network: readonly Invocable[];
  /** Returns the methods for the other processes of a group; their spans are made here, as those of local calls. */
  piped(): Iterable<Invocable>;
  /** Calls without a network. */
  readonly local: Transport;
  /** Mounts a contract of a service, behind metrics, logging, a limit of concurrent calls, identity and validation. */
  mountService(contracts: readonly DescService[], impl: object): void;
  /** Mounts the methods that the front of a service has, like those of a service. */
  mountFront(contracts: readonly DescService[], impl: object): void;
  /** Mounts, for the network, the methods of a contract that are not mounted: each passes its calls to `client` as they are. */
  mountForwards(contract: DescService, client: Client<DescService>): void;
  /** Whether a method is mounted for local calls. */
  isMounted(method: DescMethod): boolean;
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
  const contracts = new Set<string>();
  metrics.countCallsWith(
    () => callsByService.reduce((sum, calls) => sum + calls.size, 0),
    () => countStreams(contracts, callsByService),
  );
  const mount = (
    contract: DescService,
    impl: object,
    interceptors: readonly Interceptor[],
    methodsOf: readonly DescMethod[] = contract.methods,
  ) => {
    for (const method of methodsOf) {
      prepareCheck(method.input);
      const handler = (impl as Record<string, unknown>)[method.localName];
      const bound = (handler as ((...args: unknown[]) => unknown) | undefined)?.bind(impl);
      network.push(createInvocable(method, bound, interceptors));
      methods.set(
        method,
        createInvocable(method, bound, tracing ? [tracingInterceptor(), ...interceptors] : interceptors),
      );
    }
  };
  const interceptorsOfService = () => {
    const calls = new Set<ServerCall>();
    callsByService.push(calls);
    return [
      observing([metricsObserver(metrics), loggingObserver(log), concurrencyObserver(maxConcurrent, calls)]),
      identityInterceptor(verifier),
      validationInterceptor(),
    ];
  };
  return {
    network,
    piped: () => methods.values(),
    local: createLocalTransport(methods),
    isMounted: (method) => methods.has(method),
    mountService(served, impl) {
      const interceptors = interceptorsOfService();
      for (const contract of served) {
        beginCounts(metrics, contract);
        contracts.add(contract.typeName);
        mount(contract, impl, interceptors);
      }
    },
    mountFront(contracts, impl) {
      const interceptors = interceptorsOfService();
      for (const contract of contracts) {
        mount(
          contract,
          impl,
          interceptors,
          contract.methods.filter(({ localName }) => localName in impl),
        );
      }
    },
    mountForwards(contract, client) {
      const calls = new Set<ServerCall>();
      callsByService.push(calls);
      const interceptors = [observing([concurrencyObserver(maxConcurrent, calls)])];
      for (const method of contract.methods) {
        if (!methods.has(method)) network.push(createInvocable(method, forwardTo(client, method), interceptors));
      }
    },
    mountOpen: (contract, impl) => mount(contract, impl, []),
    abortCalls(reason) {
      for (const call of callsByService.flatMap((calls) => [...calls])) call.abort(reason);
    },
  };
}

// Contracts without a stream in flight have 0.
function countStreams(contracts: Iterable<string>, calls: readonly Iterable<ServerCall>[]): OpenStreams {
  const counts = new Map([...contracts].map((contract) => [contract, 0]));
  for (const { method } of calls.flatMap((each) => [...each])) {
    if (method.methodKind === 'unary') continue;
    counts.set(method.parent.typeName, (counts.get(method.parent.typeName) ?? 0) + 1);
  }
  return counts;
}

type AnyClient = Record<string, (input: Message, options: CallOptions) => Promise<Message> | AsyncIterable<Message>>;

// The service checks the caller; its answer has the headers that the service set.
function forwardTo(client: Client<DescService>, method: DescMethod) {
  const call = (client as unknown as AnyClient)[method.localName] as AnyClient[string];
  return (input: Message, context: ServerCall) => {
    const { credentials, signal } = context;
    const timeoutMs = context.timeoutMs();
    return call(input, {
      ...(credentials !== undefined && { headers: { authorization: credentials } }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      signal,
      onHeader: (header) => copyHeaders(header, context.responseHeader),
      onTrailer: (trailer) => copyHeaders(trailer, context.responseTrailer),
    });
  };
}
