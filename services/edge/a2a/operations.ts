import { create, type DescMessage, type DescMethod, type Message } from '@bufbuild/protobuf';
import { A2AService } from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { requireRole } from '#kit/rpc/interceptors/identity.ts';
import { createCheck } from '#kit/rpc/interceptors/validation.ts';
import type { Admission } from '../admission/admission.ts';
import type { A2aAgent } from './agent.ts';
import type { A2aCall } from './call.ts';
import { a2aError } from './errors.ts';
import { noPushNotifications } from './request.ts';
import { requireVersion, versionHeader } from './versions.ts';

/** The operations of the protocol, by the names of its methods. */
export interface Operations {
  /** Returns the method of a name; `undefined` if the protocol has none. */
  methodOf(name: string): DescMethod | undefined;
  /** Runs a method with one reply. Throws if the request or the caller is refused. */
  unary(method: DescMethod, request: Message, call: A2aCall): Promise<Message>;
  /** Runs a method with a stream of replies. */
  stream(method: DescMethod, request: Message, call: A2aCall): AsyncIterable<Message>;
}

type Operation = (request: never, call: A2aCall) => unknown;

/** Creates the operations over the agent: version, role and the rules of the contract are checked here for every binding. */
export function createOperations(agent: A2aAgent): Operations {
  const check = createCheck();
  const { sendMessage, sendStreamingMessage, getTask, listTasks, cancelTask, subscribeToTask } = agent;
  const byName = new Map<string, Operation>(
    Object.entries({ sendMessage, sendStreamingMessage, getTask, listTasks, cancelTask, subscribeToTask }),
  );
  const open = (method: DescMethod, request: Message, call: A2aCall): unknown => {
    requireVersion(call.version);
    requireRole(method, call.admission.principal);
    const operation = byName.get(method.localName);
    if (operation === undefined) throw refusalOf(method);
    check(method.input, request);
    return operation(request as never, call);
  };
  return {
    methodOf: (name) => A2AService.methods.find((method) => method.name === name),
    async unary(method, request, call) {
      const reply = (await open(method, request, call)) as Message;
      return '$typeName' in reply ? reply : create(method.output as DescMessage, reply as never);
    },
    async *stream(method, request, call) {
      yield* open(method, request, call) as AsyncIterable<Message>;
    },
  };
}

/** Returns the handlers of the protocol's gRPC service. `admissionOf`: what the gate found out about a call. */
export function createA2aHandlers(
  operations: Operations,
  admissionOf: (context: CallContext) => Admission,
): ServiceHandlers<typeof A2AService> {
  const handlers = A2AService.methods.map((method) => [
    method.localName,
    (request: Message, context: CallContext) => {
      const version = context.requestHeader.get(versionHeader)?.trim() ?? '';
      const call = { admission: admissionOf(context), signal: context.signal, version };
      return method.methodKind === 'unary'
        ? operations.unary(method, request, call)
        : operations.stream(method, request, call);
    },
  ]);
  return Object.fromEntries(handlers) as ServiceHandlers<typeof A2AService>;
}

function refusalOf({ name }: DescMethod) {
  return name === 'GetExtendedAgentCard'
    ? a2aError('EXTENDED_AGENT_CARD_NOT_CONFIGURED', 'there is one card for all callers: /.well-known/agent-card.json')
    : noPushNotifications();
}
