import { type Context, context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { toRpcError } from '../../base/errors.ts';
import type { Interceptor, Reply } from '../invoke.ts';
import { observing } from './observe.ts';

const tracer = trace.getTracer('ragmesh');

/**
 * Traces calls over the local mount: a client span and a server span, named and labelled as
 * `@opentelemetry/instrumentation-grpc` does on the network face, so that a trace reads the same in both topologies.
 */
export function tracingInterceptor(): Interceptor {
  return (next) => async (call) => {
    const { typeName } = call.method.parent;
    const name = `grpc.${typeName}/${call.method.name}`;
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': typeName, 'rpc.method': call.method.name };
    const client = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
    const clientContext = trace.setSpan(context.active(), client);
    const server = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, clientContext);
    const inner = trace.setSpan(clientContext, server);
    const ended = (thrown: unknown) => {
      const code = thrown === undefined ? 0 : toRpcError(thrown).code;
      for (const span of [server, client]) {
        span.setAttribute('rpc.grpc.status_code', code);
        if (code !== 0) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
    };
    const reply = await context.with(inner, () => observing([() => ended])(next)(call));
    return inContext(reply, inner);
  };
}

// A generator runs in the context of the code that asks for its next value; each step runs in the span's context instead.
function inContext(reply: Reply, inner: Context): Reply {
  const messages = reply.message;
  if (!(Symbol.asyncIterator in messages)) return reply;
  reply.message = {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () => context.with(inner, () => iterator.next()),
        return: (value) =>
          context.with(inner, async () => (await iterator.return?.(value)) ?? { done: true as const, value }),
      };
    },
  };
  return reply;
}
