import { createRequire } from 'node:module';
import type * as Grpc from '@grpc/grpc-js';

let loaded: typeof Grpc | undefined;

/**
 * grpc-js, loaded by `require` when first asked for: `@opentelemetry/instrumentation-grpc` sees only what is required
 * after tracing has started, and it never sees an ESM import. The one place that loads it.
 */
export function grpc(): typeof Grpc {
  if (loaded === undefined) {
    loaded = createRequire(import.meta.url)('@grpc/grpc-js') as typeof Grpc;
    // Its failures reach callers as errors; its own lines would break the structured log.
    loaded.setLogVerbosity(loaded.logVerbosity.NONE);
  }
  return loaded;
}

export type { Grpc };
