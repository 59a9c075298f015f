import { create, type DescMessage, type DescMethod, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import type { Interceptor } from '@connectrpc/connect';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, toRpcError } from './errors.ts';
import type { ServerCall } from './server-call.ts';

/** A method of a service, ready to run behind any mount. Input and output are whole messages, never bytes. */
export interface Invocable {
  method: DescMethod;
  /** Runs a method with one input and one output. Rejects with a ConnectError. */
  unary(call: ServerCall, input: Message): Promise<Message>;
  /** Runs a method of any kind as streams. The iterable throws ConnectErrors; `return` stops the handler. */
  stream(call: ServerCall, input: AsyncIterable<Message>): AsyncIterableIterator<Message>;
}

type Next = (call: ServerCall) => Promise<{ message: unknown }>;
type AnyImpl = (input: unknown, call: ServerCall) => unknown;

/**
 * Binds an implementation to its method, with Connect interceptors around it (the first one outermost). Composed once,
 * run for each call. Deadline and cancellation end the call at once, even where the handler does not listen.
 */
export function createInvocable(method: DescMethod, impl: unknown, interceptors: readonly Interceptor[]): Invocable {
  const run = compose(method, (impl ?? unimplemented(method)) as AnyImpl, interceptors);
  return {
    method,
    async unary(call, input) {
      call.message = input;
      try {
        const response = await call.settle(run(call));
        return response.message as Message;
      } catch (thrown) {
        throw toRpcError(thrown);
      } finally {
        call.finish();
      }
    },
    stream(call, input) {
      return runStream(call, input, method, run);
    },
  };
}

async function* runStream(
  call: ServerCall,
  input: AsyncIterable<Message>,
  method: DescMethod,
  run: Next,
): AsyncIterableIterator<Message> {
  let iterator: AsyncIterator<Message> | undefined;
  try {
    call.message = method.methodKind === 'unary' ? await call.settle(single(input)) : input;
    const response = await call.settle(run(call));
    if (method.methodKind === 'unary') {
      yield response.message as Message;
      return;
    }
    iterator = (response.message as AsyncIterable<Message>)[Symbol.asyncIterator]();
    for (;;) {
      const result = await call.settle(iterator.next());
      if (result.done === true) {
        iterator = undefined;
        return;
      }
      yield result.value;
    }
  } catch (thrown) {
    throw toRpcError(thrown);
  } finally {
    call.finish();
    // Not awaited: a handler that is stuck must not hold the transport.
    iterator?.return?.()?.then(undefined, () => {});
  }
}

function compose(method: DescMethod, impl: AnyImpl, interceptors: readonly Interceptor[]): Next {
  const innermost = async (call: ServerCall) => new Reply(call, await answer(method, impl, call));
  const composed = interceptors.reduceRight<unknown>(
    (next, interceptor) => interceptor(next as Parameters<Interceptor>[0]),
    innermost,
  );
  return composed as Next;
}

async function answer(method: DescMethod, impl: AnyImpl, call: ServerCall): Promise<unknown> {
  switch (method.methodKind) {
    case 'unary':
      return normalise(method.output, await impl(call.message, call));
    case 'client_streaming':
      return once(normalise(method.output, await impl(call.message, call)));
    case 'server_streaming':
      return normaliseAll(method.output, impl(await single(call.message as AsyncIterable<Message>), call));
    case 'bidi_streaming':
      return normaliseAll(method.output, impl(call.message, call));
    default:
      throw protocolError(`unknown kind of method ${(method as DescMethod).name}`);
  }
}

/** What came of a call, for interceptors and clients. Headers are made when somebody asks; hardly anybody does. */
export class Reply {
  readonly stream: boolean;
  message: unknown;
  readonly #call: ServerCall;
  constructor(call: ServerCall, message: unknown) {
    this.#call = call;
    this.stream = call.stream;
    this.message = message;
  }
  get method() {
    return this.#call.method;
  }
  get service() {
    return this.#call.service;
  }
  get header() {
    return this.#call.responseHeader;
  }
  get trailer() {
    return this.#call.responseTrailer;
  }
}

function normalise(schema: DescMessage, message: unknown): Message {
  const whole = (message as Message | undefined)?.$typeName === schema.typeName;
  return whole ? (message as Message) : create(schema, message as MessageInitShape<DescMessage>);
}

async function* normaliseAll(schema: DescMessage, messages: unknown): AsyncIterable<Message> {
  for await (const message of messages as AsyncIterable<unknown>) yield normalise(schema, message);
}

async function* once(message: Message): AsyncIterable<Message> {
  yield message;
}

async function single(input: AsyncIterable<Message>): Promise<Message> {
  let first: Message | undefined;
  for await (const message of input) {
    if (first !== undefined) throw protocolError('more than one message came for a method that takes one');
    first = message;
  }
  if (first === undefined) throw protocolError('no message came for a method that takes one');
  return first;
}

function protocolError(message: string) {
  return rpcError(Code.Unimplemented, ErrorReason.NOT_IMPLEMENTED, message);
}

function unimplemented(method: DescMethod): AnyImpl {
  return () => {
    throw protocolError(`${method.parent.typeName}/${method.name} is not served here`);
  };
}
