import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import { type AskRequest, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type ListModelsRequest, LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { internal, rpcError, tooLarge, toRpcError } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createInvocable, type Interceptor, type Invocable } from '#kit/rpc/invoke.ts';
import { isPublic, requestBoundsOf } from '#kit/rpc/policy.ts';
import type { Admission } from '../admission/admission.ts';
import { mayUseModel, requireModel } from '../admission/model-access.ts';
import type { RunningCalls } from '../admission/running-calls.ts';
import { retryAfterSeconds } from '../http/error.ts';
import type { EdgeLimits } from '../http/limits.ts';
import { joinTextDeltas } from './text-deltas.ts';

/** What calls are forwarded with. */
export interface ProxyParts {
  limits: EdgeLimits;
  running: RunningCalls;
  /** What the gate found out about each call. */
  admissions: WeakMap<CallContext, Admission>;
}

/**
 * Returns methods that forward the public ones of a contract to its service: the same message, the caller's signal and remaining
 * time, and the mesh's own token. Internal methods are UNIMPLEMENTED to the outside.
 */
export function proxyMethods(
  contract: DescService,
  client: object,
  parts: ProxyParts,
  interceptors: readonly Interceptor[] = [],
): Invocable[] {
  return contract.methods.map((method) => {
    const handler = isPublic(method) ? forwardTo(method, client, parts) : unserved(method);
    return createInvocable(method, handler, interceptors);
  });
}

type Input = Message & AsyncIterable<Message>;
type AnyClient = Record<string, (input: Input, options: CallOptions) => Promise<Message> & AsyncIterable<Message>>;
type AnyHandler = (
  input: Input,
  context: CallContext,
) => Promise<Message> | AsyncIterable<Message | readonly Message[]>;

function forwardTo(method: DescMethod, client: object, parts: ProxyParts): AnyHandler {
  const { limits } = parts;
  const call = (client as AnyClient)[method.localName] as AnyClient[string];
  if (method === ChatService.method.ask) return forwardAsk(client as Pick<Client<typeof ChatService>, 'ask'>, parts);
  if (method === LLMGatewayService.method.listModels) {
    return forwardListModels(client as Pick<Client<typeof LLMGatewayService>, 'listModels'>, parts);
  }
  switch (method.methodKind) {
    case 'unary':
    case 'client_streaming':
      return async (input, context) => {
        try {
          return await call(input, optionsFor(context));
        } catch (thrown) {
          throw outward(thrown, context, requestBoundsOf(method, limits.maxMessageBytes).maxBytes);
        }
      };
    case 'server_streaming':
    case 'bidi_streaming':
      return (input, context) => call(input, optionsFor(context));
    default:
      throw new Error(`unknown kind of method ${(method as DescMethod).name}`);
  }
}

function forwardAsk({ ask }: Pick<Client<typeof ChatService>, 'ask'>, { running, admissions }: ProxyParts): AnyHandler {
  // A generator, so that nothing is counted or called before the answer is read.
  return async function* (input, context) {
    const request = input as Message as AskRequest;
    const admission = admissionOf(context, admissions);
    requireModel(admission, request.model);
    const end = await running.begin(admission.principal);
    try {
      yield* joinTextDeltas(ask(request, optionsFor(context)));
    } finally {
      end();
    }
  };
}

function forwardListModels(
  { listModels }: Pick<Client<typeof LLMGatewayService>, 'listModels'>,
  { limits, admissions }: ProxyParts,
): AnyHandler {
  return async (input, context) => {
    try {
      const response = await listModels(input as Message as ListModelsRequest, optionsFor(context));
      const admission = admissionOf(context, admissions);
      const models = response.models.filter(({ name }) => mayUseModel(admission, name));
      return { ...response, models };
    } catch (thrown) {
      throw outward(thrown, context, limits.maxMessageBytes);
    }
  };
}

/** Returns what the gate found out about a call. */
export function admissionOf(context: CallContext, admissions: WeakMap<CallContext, Admission>): Admission {
  const admission = admissions.get(context);
  if (admission === undefined) throw internal(new Error(`${context.method.name} passed the gate without credentials`));
  return admission;
}

function optionsFor(context: CallContext): CallOptions {
  return {
    ...context.forward(),
    onHeader: (header) => passHeaders(header, context.responseHeader),
    onTrailer: (trailer) => passHeaders(trailer, context.responseTrailer),
  };
}

// Headers of a hop stay on their hop; those of an application pass.
function passHeaders(from: Headers, to: Headers): void {
  for (const [name, value] of from) {
    if (!hopHeaders.test(name)) to.append(name, value);
  }
}

const hopHeaders =
  /^(grpc-|connect-|content-|access-control-|accept|te$|trailer$|transfer-encoding$|connection$|keep-alive$|date$|server$|user-agent$|authorization$|set-cookie)/;

function outward(thrown: unknown, context: CallContext, maxMessageBytes: number) {
  let error = toRpcError(thrown);
  // Connect's own refusal of a message, met in the middle of an upload, says no reason.
  if (error.code === Code.ResourceExhausted && error.details.length === 0)
    error = tooLarge('a message', maxMessageBytes);
  const seconds = retryAfterSeconds(error);
  if (seconds !== undefined) context.responseHeader.set('retry-after', String(seconds));
  return error;
}

function unserved(method: DescMethod): AnyHandler {
  return () => {
    const name = `${method.parent.typeName}/${method.name}`;
    throw rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, `${name} is only for services of the mesh`);
  };
}
