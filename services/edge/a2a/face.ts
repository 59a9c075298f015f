import { A2AService } from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createInvocables, type Invocable } from '#kit/rpc/invoke.ts';
import type { Admission } from '../admission/admission.ts';
import type { JsonRoute, JsonRouteDeps } from '../http/json-route.ts';
import type { OAuthSettings } from '../mcp/oauth.ts';
import { createA2aAgent } from './agent.ts';
import type { A2aDeps } from './call.ts';
import { createCardRoute } from './card.ts';
import { createJsonRpcRoute } from './json-rpc.ts';
import { createA2aHandlers, createOperations } from './operations.ts';
import { createRestRoute } from './rest.ts';

/** The agent over all bindings of the protocol. */
export interface A2aFace {
  /** The methods of its gRPC service. */
  methods(admissionOf: (context: CallContext) => Admission): Invocable[];
  routes(deps: JsonRouteDeps, settings: () => OAuthSettings): { card: JsonRoute; jsonRpc: JsonRoute; rest: JsonRoute };
  drain(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Creates the agent and its bindings. */
export function createA2aFace(deps: A2aDeps): A2aFace {
  const agent = createA2aAgent(deps);
  const operations = createOperations(agent);
  return {
    methods: (admissionOf) => createInvocables(A2AService, createA2aHandlers(operations, admissionOf), []),
    routes: (routeDeps, settings) => ({
      card: createCardRoute(settings),
      jsonRpc: createJsonRpcRoute(operations, routeDeps, settings),
      rest: createRestRoute(operations, routeDeps, settings),
    }),
    drain: agent.drain,
    close: agent.close,
  };
}
