import type { DescService, Registry } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';

/** What a stack serves. */
export interface StackOptions {
  service: DescService;
  /** The service's rpcs; one that is missing is not served. */
  impl: Partial<ServiceImpl<DescService>>;
  /** Types that a `google.protobuf.Any` may hold, for JSON. */
  registry: Registry;
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
}

/** Serves on a free port of 127.0.0.1 until the process ends; resolves to the port. A stack's module exports it as `serve`. */
export type Serve = (options: StackOptions) => Promise<number>;
