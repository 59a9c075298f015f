import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { cancelled, rpcError, toRpcError } from '../base/errors.ts';
import type { ServiceHandlers } from './handlers.ts';
import { leaveStream } from './messages/last-event.ts';
import type { ReadyMessages } from './messages/ready-messages.ts';
import { wholeMessage } from './messages/whole-message.ts';
import type { ServerCall } from './server-call.ts';

/** A method of a service, ready to run behind any mount. Input and output are whole messages, never bytes. */
export interface Invocable {
  method: DescMethod;
  /** Runs a method with one input and one output. Rejects with a ConnectError. */
  unary(call: ServerCall, input: Message): Promise<Message>;
  /**
   * Runs a method of any kind; `input` is one message if the method takes one and it has arrived. The iterable throws
   * ConnectErrors; `return` stops the handler.
   */
  stream(call: ServerCall, input: Message | AsyncIterable<Message>): MessageStream;
}

/** The output of a call. */
export type MessageStream = AsyncIterableIterator<Message> & ReadyMessages<Message>;

/** Runs a call, and resolves when its response begins. */
export type Handle = (call: ServerCall) => Promise<Reply>;

/** Wraps the handling of calls. It may refuse a call by a throw, change its message, or wrap the messages of its reply. */
export type Interceptor = (next: Handle) => Handle;

type AnyImpl = (input: unknown, call: ServerCall) => unknown;

/**
 * Binds an implementation to its method, with interceptors around it (the first one outermost). Composed once,
 * run for each call. Deadline and cancellation end the call immediately, even if the handler does not listen.
 */
export function createInvocable(method: DescMethod, impl: unknown, interceptors: readonly Interceptor[]): Invocable {
  const run = compose(method, (impl ?? unimplemented(method)) as AnyImpl, interceptors);
  return {
    method,
    async unary(call, input) {
      call.message = input;
      let failure: unknown;
      try {
        // A call that has expired on arrival is not begun.
        if (call.aborted) throw call.reason;
        const response = await call.settle(run(call));
        return response.message as Message;
      } catch (thrown) {
        failure = toRpcError(thrown);
        throw failure;
      } finally {
        call.finish(failure);
      }
    },
    stream: (call, input) => new ServerStream(call, input, run),
  };
}

/** Returns the methods of a contract, bound to their handlers; one without a handler is UNIMPLEMENTED. */
export function createInvocables<Desc extends DescService>(
  contract: Desc,
  handlers: Partial<ServiceHandlers<Desc>>,
  interceptors: readonly Interceptor[],
): Invocable[] {
  const byName = new Map<string, unknown>(Object.entries(handlers));
  return contract.methods.map((method) => createInvocable(method, byName.get(method.localName), interceptors));
}

/**
 * The output of a call as a stream. Not a generator, which costs several promises a message and level: a message here costs
 * one, and messages that the handler gives together, as a list, cost one in all if they are taken by `takeReady`. Calls of `next` may
 * overlap; their results keep their order, as the handler gives them.
 */
class ServerStream implements MessageStream {
  readonly #call: ServerCall;
  readonly #run: Handle;
  readonly #input: Message | AsyncIterable<Message>;
  #opening: Promise<void> | undefined;
  #pulling: Promise<IteratorResult<Message>> | undefined;
  #iterator: AsyncIterator<unknown> | undefined;
  #isOver = false;
  #ready: Message[] = [];
  #last: Message | undefined;

  constructor(call: ServerCall, input: Message | AsyncIterable<Message>, run: Handle) {
    this.#call = call;
    this.#input = input;
    this.#run = run;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message>> {
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    const next = () => this.next();
    if (this.#pulling !== undefined) return this.#pulling.then(next, next);
    const ready = this.#ready.shift();
    if (ready !== undefined) return Promise.resolve(this.#give(ready));
    if (this.#iterator !== undefined) return this.#pull(this.#iterator);
    this.#opening ??= this.#open();
    return this.#opening.then(next);
  }

  takeReady(): readonly Message[] {
    const ready = this.#ready;
    if (ready.length === 0 || this.#isOver) return [];
    this.#ready = [];
    this.#last = ready.at(-1);
    return ready;
  }

  #give(value: Message): IteratorResult<Message> {
    this.#last = value;
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Message>> {
    const call = this.#call;
    if (!this.#isOver) {
      leaveStream(call.method.output, call.aborted ? undefined : this.#last, {
        cancel: () => {
          // Fails what the consumer still waits for.
          if (!call.aborted) call.abort(cancelled());
          this.#end(undefined);
        },
        readToEnd: (onEnd) => {
          call.onEnd(onEnd);
          void this.#readToEnd();
        },
      });
    }
    return { done: true, value: undefined };
  }

  async #readToEnd(): Promise<void> {
    try {
      while ((await this.next()).done !== true);
    } catch {
      // The call has ended; its observers know why.
    }
  }

  async #open(): Promise<void> {
    const call = this.#call;
    const { method } = call;
    try {
      if (call.aborted) throw call.reason;
      const isUnary = method.methodKind === 'unary';
      call.message = isUnary && isStream(this.#input) ? await call.settle(single(this.#input)) : this.#input;
      const { message } = await call.settle(this.#run(call));
      const output = isUnary ? once(message as Message) : (message as AsyncIterable<unknown>);
      this.#iterator = output[Symbol.asyncIterator]();
      // The consumer has left meanwhile.
      if (this.#isOver) this.#stopHandler();
    } catch (thrown) {
      throw this.#end(thrown);
    }
  }

  #pull(iterator: AsyncIterator<unknown>): Promise<IteratorResult<Message>> {
    const call = this.#call;
    // Also if the call was aborted just now: the handler runs the code after its last message.
    const pulled = iterator.next();
    if (call.aborted) {
      pulled.catch(() => {});
      return Promise.reject(this.#end(call.reason));
    }
    const pulling = new Promise<IteratorResult<Message>>((resolve, reject) => {
      const fail = (thrown: unknown) => {
        this.#pulling = undefined;
        reject(this.#end(thrown));
      };
      call.wait(fail);
      pulled.then(
        (result) => {
          call.unwait(fail);
          this.#pulling = undefined;
          if (result.done === true) {
            this.#iterator = undefined;
            this.#end(undefined);
            resolve({ done: true, value: undefined });
            return;
          }
          try {
            const first = this.#receive(result.value);
            resolve(first === undefined ? this.next() : this.#give(first));
          } catch (thrown) {
            fail(thrown);
          }
        },
        (thrown) => {
          call.unwait(fail);
          fail(thrown);
        },
      );
    });
    this.#pulling = pulling;
    return pulling;
  }

  // Returns the first of the messages that a handler gave; the others are ready.
  #receive(given: unknown): Message | undefined {
    const { output } = this.#call.method;
    if (!Array.isArray(given)) return wholeMessage(output, given);
    const [first, ...others] = given;
    this.#ready = others.map((message) => wholeMessage(output, message));
    return first === undefined ? undefined : wholeMessage(output, first);
  }

  // Ends the call, once. Returns the error as the caller gets to see it.
  #end(thrown: unknown): unknown {
    const error = thrown === undefined ? undefined : toRpcError(thrown);
    if (this.#isOver) return error;
    this.#isOver = true;
    this.#call.finish(error);
    this.#stopHandler();
    return error;
  }

  // Not awaited: a handler that is stuck must not hold the transport.
  #stopHandler(): void {
    this.#iterator?.return?.()?.then(undefined, () => {});
    this.#iterator = undefined;
  }
}

function isStream(input: Message | AsyncIterable<Message>): input is AsyncIterable<Message> {
  return Symbol.asyncIterator in input;
}

function compose(method: DescMethod, impl: AnyImpl, interceptors: readonly Interceptor[]): Handle {
  const innermost: Handle = async (call) => new Reply(call, await answer(method, impl, call));
  return interceptors.reduceRight((next, interceptor) => interceptor(next), innermost);
}

async function answer(method: DescMethod, impl: AnyImpl, call: ServerCall): Promise<Message | AsyncIterable<unknown>> {
  switch (method.methodKind) {
    case 'unary':
      return wholeMessage(method.output, await impl(call.message, call));
    case 'client_streaming':
      return once(wholeMessage(method.output, await impl(call.message, call)));
    case 'server_streaming': {
      const input = call.message;
      return impl(isStream(input) ? await single(input) : input, call) as AsyncIterable<unknown>;
    }
    case 'bidi_streaming':
      return impl(call.message, call) as AsyncIterable<unknown>;
    default:
      throw protocolError(`unknown kind of method ${(method as DescMethod).name}`);
  }
}

/** The response of a call, for interceptors and clients. Headers are made when they are first read, which is rare. */
export class Reply {
  readonly stream: boolean;
  message: Message | AsyncIterable<unknown>;
  readonly #call: ServerCall;
  constructor(call: ServerCall, message: Message | AsyncIterable<unknown>) {
    this.#call = call;
    this.stream = call.method.methodKind !== 'unary';
    this.message = message;
  }
  get method() {
    return this.#call.method;
  }
  get service() {
    return this.#call.method.parent;
  }
  /** Headers, if any were set. */
  get sentHeader() {
    return this.#call.sentHeader;
  }
  /** Trailers, if any were set. */
  get sentTrailer() {
    return this.#call.sentTrailer;
  }
  get header() {
    return this.#call.responseHeader;
  }
  get trailer() {
    return this.#call.responseTrailer;
  }
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
