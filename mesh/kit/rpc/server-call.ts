import type { DescMethod, Message } from '@bufbuild/protobuf';
import type { CallOptions } from '@connectrpc/connect';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { deadlineExceeded, internal } from '../base/errors.ts';
import type { CallContext, ForwardOptions } from './context.ts';

/** How a call reached the server. */
export interface ServerCallInit {
  method: DescMethod;
  /** Reads the request headers; called at most once, and only when they are needed. */
  requestHeader: () => Headers;
  /** Reads the `authorization` header without making Headers. */
  credentials: () => string | undefined;
  /** Reads the address of the other end of the connection. @default '': a mount without connections to callers */
  peerAddress?: () => string;
  /** Time left, in milliseconds; `undefined`: no deadline; 0 or less: the call is aborted from the start. */
  timeoutMs: number | undefined;
  /** Time after the deadline before the call is aborted here, in milliseconds: for a mount that does so itself. @default 0 */
  graceMs?: number;
}

/** The longest time that a timer of Node can run, with room for a grace. */
const longestTimerMs = 0x7fff0000;

// One for all: an abort without a reason makes a DOMException with its stack for each call.
const over = new DOMException('the call is over', 'AbortError');

/** Who makes a call, and the header that proves it to other services. */
interface Caller {
  principal: Principal;
  authorization: string;
}

/**
 * A call as the server sees it: the context of its handler, and what interceptors get. One object, whose expensive parts
 * (headers, signal) are made when they are first used, since most calls never use them.
 */
export class ServerCall implements CallContext {
  readonly method: DescMethod;
  /** The input; set before interceptors run. */
  message!: Message | AsyncIterable<Message>;
  readonly #readHeader: () => Headers;
  readonly #readCredentials: () => string | undefined;
  readonly #readPeer: (() => string) | undefined;
  #caller: Caller | undefined;
  readonly #deadline: number | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  // Nearly every call has one waiter at a time; the set is for those with more.
  #waiter: ((reason: unknown) => void) | undefined;
  #moreWaiters: Set<(reason: unknown) => void> | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #controller: AbortController | undefined;
  #endings: ((error: unknown) => void)[] | undefined;
  #aborted = false;
  #reason: unknown;

  constructor(init: ServerCallInit) {
    this.method = init.method;
    this.#readHeader = init.requestHeader;
    this.#readCredentials = init.credentials;
    this.#readPeer = init.peerAddress;
    if (init.timeoutMs !== undefined) {
      const timeoutMs = Math.min(init.timeoutMs, longestTimerMs);
      this.#deadline = performance.now() + timeoutMs;
      if (timeoutMs > 0)
        this.#timer = setTimeout(() => this.abort(deadlineExceeded()), timeoutMs + (init.graceMs ?? 0));
      // Expired on arrival: whatever runs calls must not begin this one.
      else this.abort(deadlineExceeded());
    }
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= this.#readHeader();
    return this.#requestHeader;
  }
  /** The `authorization` header of the request, without making Headers for it. */
  get credentials(): string | undefined {
    return this.#requestHeader === undefined
      ? this.#readCredentials()
      : (this.#requestHeader.get('authorization') ?? undefined);
  }
  /** The address of the other end of the connection; empty on mounts without connections to callers. */
  get peerAddress(): string {
    return this.#readPeer?.() ?? '';
  }
  /** Sets the caller, whom a mount or an interceptor has identified, and the header that proves it to other services. */
  identify(principal: Principal, authorization: string): void {
    this.#caller = { principal, authorization };
  }
  get principal(): Principal {
    return this.#identified().principal;
  }
  get authorization(): string {
    return this.#identified().authorization;
  }
  #identified(): Caller {
    if (this.#caller === undefined) throw internal(new Error(`nothing identified the caller of ${this.method.name}`));
    return this.#caller;
  }
  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Response headers, if any were set. */
  get sentHeader(): Headers | undefined {
    return this.#responseHeader;
  }
  /** Response trailers, if any were set. */
  get sentTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }
  /** Forgets response headers and trailers. */
  dropHeaders(): void {
    this.#responseHeader = undefined;
    this.#responseTrailer = undefined;
  }
  /** Whether the call is over: cancelled, too late, or finished. */
  get aborted(): boolean {
    return this.#aborted;
  }
  /** Why it was given up. */
  get reason(): unknown {
    return this.#reason;
  }

  timeoutMs(): number | undefined {
    return this.#deadline === undefined ? undefined : Math.max(0, this.#deadline - performance.now());
  }

  forward(options: ForwardOptions = {}): CallOptions {
    const { authorization } = this;
    const leftMs = this.timeoutMs();
    if (leftMs !== undefined && leftMs <= 0) throw deadlineExceeded();
    const timeoutMs = leftMs === undefined ? options.timeoutMs : Math.min(leftMs, options.timeoutMs ?? leftMs);
    return {
      headers: { authorization },
      signal: options.signal === undefined ? this.signal : this.#either(options.signal),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  }

  // A signal that aborts with the call's own or with another one. AbortSignal.any costs several times as much, because it supports
  // signals of unknown lifetime; this one ends with the call.
  #either(other: AbortSignal): AbortSignal {
    const controller = new AbortController();
    for (const signal of [this.signal, other]) {
      if (signal.aborted) {
        controller.abort(signal.reason);
        return controller.signal;
      }
      const onAbort = () => controller.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal === other) this.onEnd(() => other.removeEventListener('abort', onAbort));
    }
    return controller.signal;
  }

  /** Aborts the call. The first reason stays. */
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

  /** Calls `ending` once when the call is over: with the error that ended it, or with `undefined` after success. */
  onEnd(ending: (error: unknown) => void): void {
    this.#endings ??= [];
    this.#endings.push(ending);
  }

  /** Ends the call: stops its timer, aborts its signal, and calls the endings. */
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
          this.unwait(reject);
          resolve(value);
        },
        (error) => {
          this.unwait(reject);
          reject(error);
        },
      );
    });
  }

  /** Calls `waiter` with the reason if the call is aborted, until {@link unwait}. */
  wait(waiter: (reason: unknown) => void): void {
    if (this.#waiter === undefined) {
      this.#waiter = waiter;
    } else {
      this.#moreWaiters ??= new Set();
      this.#moreWaiters.add(waiter);
    }
  }

  /** Takes back {@link wait}. */
  unwait(waiter: (reason: unknown) => void): void {
    if (this.#waiter === waiter) this.#waiter = undefined;
    else this.#moreWaiters?.delete(waiter);
  }
}
