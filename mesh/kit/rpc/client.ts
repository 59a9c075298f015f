import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import {
  type CallOptions,
  type Client,
  Code,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '../base/errors.ts';
import { Reply } from './invoke.ts';
import { type ReadyMessages, takeReady } from './messages/ready-messages.ts';
import { SingleMessage } from './messages/single-message.ts';
import type { ClientOf, Need } from './needs.ts';

/**
 * A typed client over a transport. Like Connect's own, with one difference that back-pressure and cancellation need:
 * a consumer that leaves a stream early (`break`, `return`, a throw) cancels the call.
 */
export function createClient<Desc extends DescService>(service: Desc, transport: Transport): Client<Desc> {
  return bindAll(service.methods, transport) as Client<Desc>;
}

/** A client with the rpcs of a need only, see {@link createClient}. */
export function createClientOf<N extends Need>({ contract, calls }: N, transport: Transport): ClientOf<N> {
  const methods = contract.methods.filter(({ localName }) => calls.includes(localName));
  return bindAll(methods, transport) as ClientOf<N>;
}

function bindAll(methods: readonly DescMethod[], transport: Transport): Record<string, unknown> {
  return Object.fromEntries(methods.map((method) => [method.localName, bind(method, transport)]));
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
        reportHeader(response, options);
        reportTrailer(response, options);
        return response.message;
      };
    case 'server_streaming':
      return (input: never, options?: AnyOptions) => receive(open(new SingleMessage(input), options), options);
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

// What comes back, message by message as the transport gives them: a generator in between would cost more than the local mount.
function receive(
  opening: Promise<StreamResponse>,
  options: AnyOptions | undefined,
): AsyncIterableIterator<Message> & ReadyMessages<Message> {
  // The first read reports a failure; there may be none.
  opening.catch(() => {});
  let iterator: AsyncIterator<Message> | undefined;
  let isOver = false;
  const opened = async () => {
    const response = await opening;
    if (iterator === undefined) {
      reportHeader(response, options);
      iterator = response.message[Symbol.asyncIterator]();
    }
    return iterator;
  };
  const take = async () => {
    const result = await (await opened()).next();
    if (result.done === true && !isOver) {
      isOver = true;
      reportTrailer(await opening, options);
    }
    return result;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => (iterator === undefined || options?.onTrailer !== undefined ? take() : iterator.next()),
    takeReady: () => (iterator === undefined ? [] : takeReady(iterator)),
    async return() {
      isOver = true;
      const left = async () => void (await (await opened()).return?.());
      await left().catch(() => {});
      return { done: true, value: undefined };
    },
  };
}

// A reply of this process has headers only if its handler set some.
function reportHeader(response: UnaryResponse | StreamResponse, options: AnyOptions | undefined): void {
  if (options?.onHeader === undefined) return;
  const header = response instanceof Reply ? response.sentHeader : response.header;
  if (header !== undefined) options.onHeader(header);
}

function reportTrailer(response: UnaryResponse | StreamResponse, options: AnyOptions | undefined): void {
  if (options?.onTrailer === undefined) return;
  const trailer = response instanceof Reply ? response.sentTrailer : response.trailer;
  if (trailer !== undefined) options.onTrailer(trailer);
}

function protocolError(message: string) {
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message);
}
