import type { DescService, Registry } from '@bufbuild/protobuf';
import { createLogger } from '#kit/base/log.ts';
import { discardRest } from '#kit/http/server/body.ts';
import { openPort } from '#kit/http/server/port.ts';
import { mountConnect } from '#kit/rpc/connect/mount.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { createInvocable } from '#kit/rpc/invoke.ts';
import { edgeLimits } from '../http/limits.ts';

/** What the conformance suite wants served. */
export interface StackOptions {
  service: DescService;
  /** The handlers of the service, by the name of the method. */
  handlers: Readonly<Record<string, unknown>>;
  /** Records the URL of a call that came by GET. */
  urls: WeakMap<CallContext, string>;
  /** Types that a `google.protobuf.Any` may hold, for JSON. */
  registry: Registry;
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
}

/** Serves the suite's service on the edge's own port and mount; resolves to the port. Runs until the process ends. */
export async function serve({ service, handlers, urls, registry, maxMessageBytes }: StackOptions): Promise<number> {
  const limits = { ...edgeLimits, maxMessageBytes };
  const rpc = mountConnect({
    methods: service.methods
      .filter((method) => method.localName in handlers)
      .map((method) => createInvocable(method, handlers[method.localName], [])),
    limits,
    jsonOptions: { registry },
    boundsOf: () => ({ maxBytes: maxMessageBytes, maxValues: 10_000 }),
    log: createLogger('silent'),
    gate: async (call, { method, url }) => {
      if (method === 'GET' && url !== undefined) urls.set(call, url);
    },
  });
  const port = await openPort({
    name: 'conformance',
    setting: 'port',
    host: '127.0.0.1',
    port: 0,
    limits,
    handle(request, response) {
      const path = request.url?.split('?', 1)[0] ?? '';
      if (rpc.serves(path)) {
        void rpc.handle(path, request, response).finally(() => discardRest(request, limits.discardTimeoutMs));
      } else response.writeHead(404).end();
    },
  });
  return port.port;
}
