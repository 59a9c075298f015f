import {
  create,
  type DescMessage,
  type DescService,
  type Message,
  type MessageInitShape,
  type Registry,
} from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { createLogger } from '#kit/base/log.ts';
import { discardRest } from '../http/body.ts';
import { edgeLimits } from '../http/limits.ts';
import { openPort } from '../http/port.ts';
import { createRpcHandler } from '../rpc/rpc-handler.ts';

/** What the conformance suite wants served. */
export interface StackOptions {
  service: DescService;
  impl: Partial<ServiceImpl<DescService>>;
  /** Types that a `google.protobuf.Any` may hold, for JSON. */
  registry: Registry;
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
}

/** Serves the suite's service on the edge's own port and rpc handler; resolves to the port. Runs until the process ends. */
export async function serve({ service, impl, registry, maxMessageBytes }: StackOptions): Promise<number> {
  const limits = { ...edgeLimits, maxMessageBytes };
  const jsonOptions = { registry };
  const rpc = createRpcHandler({
    limits,
    jsonOptions,
    boundsOf: () => ({ maxBytes: maxMessageBytes, maxValues: 10_000 }),
    log: createLogger('silent'),
    gate: async () => {},
    routes(router) {
      for (const method of service.methods) {
        const handler = impl[method.localName] as ((input: never, context: HandlerContext) => never) | undefined;
        if (handler === undefined) {
          router.service({ ...service, methods: [method] } as DescService, {});
        } else if (method.methodKind === 'server_streaming') {
          const streamed = (input: never, context: HandlerContext) => whole(method.output, handler(input, context));
          router.rpc(method, streamed as never);
        } else {
          router.rpc(method, handler as never);
        }
      }
    },
  });
  const port = await openPort({
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

async function* whole(
  schema: DescMessage,
  messages: AsyncIterable<MessageInitShape<DescMessage>>,
): AsyncGenerator<Message> {
  for await (const message of messages) yield create(schema, message);
}
