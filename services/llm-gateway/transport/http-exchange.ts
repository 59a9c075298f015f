import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { decoded } from './content-encoding.ts';
import { HttpResponse, type ResponseBody } from './http-response.ts';

type Controller = Dispatcher.DispatchController;

/** Bytes that are buffered for a slow reader before the connection pauses. */
const maxWaitingBytes = 256 * 1024;

/** One request and its response, as a handler of undici's dispatcher. An abort of the signal, or of the reading, closes the connection. */
export class HttpExchange implements Dispatcher.DispatchHandler, ResponseBody {
  readonly #url: string;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Controller | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #reader: { resolve(result: IteratorResult<Uint8Array>): void; reject(error: unknown): void } | undefined;
  #isOver = false;
  #failure: { error: unknown } | undefined;

  constructor(
    url: string,
    signal: AbortSignal | undefined,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#url = url;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal?.aborted) this.#fail(signal.reason);
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether the body is complete, or no more of it will arrive. */
  get isOver(): boolean {
    return this.#isOver;
  }

  onRequestStart(controller: Controller): void {
    // Cancelled while it waited for a connection.
    if (this.#isOver) controller.abort((this.#failure?.error ?? left) as Error);
    else this.#controller = controller;
  }

  onResponseStart(_: Controller, status: number, headers: IncomingHttpHeaders, statusText = ''): void {
    if (status < 200) return;
    const { body, isDecoded } = decoded(this, headers['content-encoding']);
    this.#resolve(new HttpResponse(this.#url, status, statusText, headers, body, isDecoded) as unknown as Response);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: chunk });
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > maxWaitingBytes) controller.pause();
  }

  onResponseEnd(): void {
    this.#end();
    this.#reader?.resolve(over);
    this.#reader = undefined;
  }

  onResponseError(_: Controller, error: Error): void {
    this.#fail(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#waiting.length > 0) {
      const value = this.#waiting.length === 1 ? (this.#waiting[0] as Buffer) : Buffer.concat(this.#waiting);
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#controller?.resume();
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#isOver) return Promise.resolve(over);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.cancel();
    return over;
  }

  async cancel(): Promise<void> {
    this.#waiting = [];
    if (this.#isOver) return;
    this.#end();
    this.#reader?.resolve(over);
    this.#reader = undefined;
    this.#controller?.abort(left);
  }

  #onAbort = () => {
    const { reason } = this.#signal as AbortSignal;
    this.#waiting = [];
    this.#fail(reason);
    this.#controller?.abort(reason);
  };

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#failure = { error };
    this.#reject(error);
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  #end(): void {
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

const over = { done: true as const, value: undefined };
// A shared error: its stack says nothing, and costs more than the rest of the request.
const left = new DOMException('the reader of the response left', 'AbortError');
