import type { Interceptor, StreamResponse, UnaryResponse } from '@connectrpc/connect';
import { type Context, context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { toRpcError } from '../../base/errors.ts';
import { observing } from './observe.ts';

const tracer = trace.getTracer('ragmesh');

/**
 * Traces calls over the local mount: a client span and a server span, named and labelled as
 * `@opentelemetry/instrumentation-grpc` does on the network face, so that a trace reads the same in both topologies.
 */
export function tracingInterceptor(): Interceptor {
  return (next) => async (request) => {
    const { typeName } = request.service;
    const name = `grpc.${typeName}/${request.method.name}`;
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': typeName, 'rpc.method': request.method.name };
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
    const response = await context.with(inner, () => observing([() => ended])(next)(request));
    return inContext(response, inner);
  };
}

// A generator runs in the context of whoever asks for its next value, so each step is put back into the span's.
function inContext<R extends UnaryResponse | StreamResponse>(response: R, inner: Context): R {
  if (!response.stream) return response;
  const streamed = response as unknown as { message: AsyncIterable<unknown> };
  const messages = streamed.message;
  streamed.message = {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () => context.with(inner, () => iterator.next()),
        return: (value) =>
          context.with(inner, async () => (await iterator.return?.(value)) ?? { done: true as const, value }),
      };
    },
  };
  return response;
}
