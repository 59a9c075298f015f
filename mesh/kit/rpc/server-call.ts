import type { DescMethod } from '@bufbuild/protobuf';
import { type ContextValues, createContextValues, type HandlerContext } from '@connectrpc/connect';
import { deadlineExceeded } from '../base/errors.ts';

/** How a call reached the server. */
export interface ServerCallInit {
  method: DescMethod;
  /** "grpc" or "local". */
  protocolName: string;
  /** Request headers; read once, when somebody asks. */
  requestHeader: () => Headers;
  /** The `authorization` header, for the one reader that every call has. */
  authorization: () => string | undefined;
  /** Time left, in milliseconds; `undefined`: no deadline; 0 or less: the call is aborted from the start. */
  timeoutMs: number | undefined;
  /** Time after the deadline before the call is given up, in milliseconds: for a mount that does so itself. @default 0 */
  graceMs?: number;
  values?: ContextValues;
}

/** The longest time that a timer of Node can run, with room for a grace. */
const longestTimerMs = 0x7fff0000;

// One for all: an abort without a reason makes a DOMException with its stack for each call.
const over = new DOMException('the call is over', 'AbortError');

/**
 * A call as the server sees it: Connect's HandlerContext, and at the same time the request that interceptors get. One
 * object, and the dear parts (headers, signal) are made when first asked for, since most calls never ask.
 */
export class ServerCall implements HandlerContext {
  readonly method: DescMethod;
  readonly protocolName: string;
  readonly requestMethod = 'POST';
  /** The input; set before interceptors run. */
  message: unknown;
  readonly stream: boolean;
  readonly #readHeader: () => Headers;
  readonly #readAuthorization: () => string | undefined;
  readonly #deadline: number | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  // Nearly every call has one waiter at a time; the set is for those with more.
  #waiter: ((reason: unknown) => void) | undefined;
  #moreWaiters: Set<(reason: unknown) => void> | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #endings: ((error: unknown) => void)[] | undefined;
  #aborted = false;
  #reason: unknown;

  constructor(init: ServerCallInit) {
    this.method = init.method;
    this.protocolName = init.protocolName;
    this.stream = init.method.methodKind !== 'unary';
    this.#readHeader = init.requestHeader;
    this.#readAuthorization = init.authorization;
    this.#values = init.values;
    if (init.timeoutMs !== undefined) {
      const timeoutMs = Math.min(init.timeoutMs, longestTimerMs);
      this.#deadline = performance.now() + timeoutMs;
      if (timeoutMs > 0)
        this.#timer = setTimeout(() => this.abort(deadlineExceeded()), timeoutMs + (init.graceMs ?? 0));
      // Expired on arrival: whatever runs calls must not begin this one.
      else this.abort(deadlineExceeded());
    }
  }

  get service() {
    return this.method.parent;
  }
  get url(): string {
    return `http://${this.protocolName}/${this.method.parent.typeName}/${this.method.name}`;
  }
  get requestHeader(): Headers {
    this.#requestHeader ??= this.#readHeader();
    return this.#requestHeader;
  }
  get header(): Headers {
    return this.requestHeader;
  }
  /** The `authorization` header, without making Headers for it. */
  get authorization(): string | undefined {
    return this.#requestHeader === undefined
      ? this.#readAuthorization()
      : (this.#requestHeader.get('authorization') ?? undefined);
  }
  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }
  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }
  get contextValues(): ContextValues {
    return this.values;
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Response headers, where any were set. */
  get sentHeader(): Headers | undefined {
    return this.#responseHeader;
  }
  /** Response trailers, where any were set. */
  get sentTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }
  /** Forgets response headers and trailers. */
  dropHeaders(): void {
    this.#responseHeader = undefined;
    this.#responseTrailer = undefined;
  }
  /** Whether the call was given up: cancelled, too late, or finished. */
  get aborted(): boolean {
    return this.#aborted;
  }
  /** Why it was given up. */
  get reason(): unknown {
    return this.#reason;
  }

  readonly timeoutMs = (): number | undefined =>
    this.#deadline === undefined ? undefined : Math.max(0, this.#deadline - performance.now());

  /** Gives the call up. The first reason stays. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
    this.#waiter?.(reason);
    this.#waiter = undefined;
    for (const waiter of this.#moreWaiters ?? []) waiter(reason);
    this.#moreWaiters = undefined;
  }

  /** Has `ending` called once when the call is over: with the error that ended it, or with nothing where it ended well. */
  onEnd(ending: (error: unknown) => void): void {
    this.#endings ??= [];
    this.#endings.push(ending);
  }

  /** Ends the call: its timer stops, what still waits on its signal is let go, and who asked hears of it. */
  finish(error?: unknown): void {
    this.#waiter = undefined;
    this.#moreWaiters = undefined;
    this.abort(over);
    const endings = this.#endings;
    this.#endings = undefined;
    if (endings !== undefined) for (const ending of endings) ending(error);
  }

  /** The result of `work`, or the reason of an abort that comes first. */
  settle<T>(work: Promise<T>): Promise<T> {
    if (this.#aborted) {
      work.catch(() => {});
      return Promise.reject(this.#reason);
    }
    return new Promise<T>((resolve, reject) => {
      this.wait(reject);
      work.then(
        (value) => {
          this.letGo(reject);
          resolve(value);
        },
        (error) => {
          this.letGo(reject);
          reject(error);
        },
      );
    });
  }

  /** Has `waiter` called with the reason where the call is given up, until it is let go. */
  wait(waiter: (reason: unknown) => void): void {
    if (this.#waiter === undefined) {
      this.#waiter = waiter;
    } else {
      this.#moreWaiters ??= new Set();
      this.#moreWaiters.add(waiter);
    }
  }

  /** Takes back {@link wait}. */
  letGo(waiter: (reason: unknown) => void): void {
    if (this.#waiter === waiter) this.#waiter = undefined;
    else this.#moreWaiters?.delete(waiter);
  }
}
