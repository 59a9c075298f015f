import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import {
  type CallOptions,
  type Client,
  Code,
  type ContextValues,
  type StreamResponse,
  type Transport,
} from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from './errors.ts';

/**
 * A typed client over a transport. Like Connect's own, with one difference that back-pressure and cancellation need:
 * a consumer that leaves a stream early (`break`, `return`, a throw) cancels the call.
 */
export function createClient<Desc extends DescService>(service: Desc, transport: Transport): Client<Desc> {
  const client: Record<string, unknown> = {};
  for (const method of service.methods) client[method.localName] = bind(method, transport);
  return client as Client<Desc>;
}

type AnyOptions = CallOptions & { contextValues?: ContextValues };

function bind(method: DescMethod, transport: Transport): unknown {
  const open = (input: AsyncIterable<never>, options: AnyOptions | undefined) =>
    transport.stream(
      method as never,
      options?.signal,
      options?.timeoutMs,
      options?.headers,
      input,
      options?.contextValues,
    );
  switch (method.methodKind) {
    case 'unary':
      return async (input: never, options?: AnyOptions) => {
        const response = await transport.unary(
          method as never,
          options?.signal,
          options?.timeoutMs,
          options?.headers,
          input,
          options?.contextValues,
        );
        options?.onHeader?.(response.header);
        options?.onTrailer?.(response.trailer);
        return response.message;
      };
    case 'server_streaming':
      return (input: never, options?: AnyOptions) => receive(open(once(input), options), options);
    case 'bidi_streaming':
      return (input: AsyncIterable<never>, options?: AnyOptions) => receive(open(input, options), options);
    case 'client_streaming':
      return async (input: AsyncIterable<never>, options?: AnyOptions) => {
        let last: Message | undefined;
        for await (const message of receive(open(input, options), options)) {
          if (last !== undefined) throw protocolError('more than one message came back');
          last = message;
        }
        if (last === undefined) throw protocolError('no message came back');
        return last;
      };
    default:
      throw protocolError(`unknown kind of method ${(method as DescMethod).name}`);
  }
}

async function* receive(opening: Promise<StreamResponse>, options: AnyOptions | undefined): AsyncIterable<Message> {
  const response = await opening;
  options?.onHeader?.(response.header);
  yield* response.message;
  options?.onTrailer?.(response.trailer);
}

async function* once(message: never): AsyncIterable<never> {
  yield message;
}

function protocolError(message: string) {
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message);
}
