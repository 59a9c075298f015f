import type { DescService, Registry } from '@bufbuild/protobuf';
import type { CallContext } from '#kit/rpc/context.ts';

/** What a stack serves. */
export interface StackOptions {
  service: DescService;
  /** The handlers of the service, by the name of the method; one that is missing is not served. */
  handlers: Readonly<Record<string, unknown>>;
  /** Records the URL of a call that came by GET; the suite checks what its query held. */
  urls: WeakMap<CallContext, string>;
  /** Types that a `google.protobuf.Any` may hold, for JSON. */
  registry: Registry;
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
}

/** Serves on a free port of 127.0.0.1 until the process ends; resolves to the port. A stack's module exports it as `serve`. */
export type Serve = (options: StackOptions) => Promise<number>;
