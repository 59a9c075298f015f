import type { DescMethod } from '@bufbuild/protobuf';
import type { Metadata } from '@grpc/grpc-js';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('ragmesh');

/**
 * Begins the span of a call that leaves the process, and names it in the call's metadata, as `@opentelemetry/instrumentation-grpc` does for
 * the calls of grpc-js' own clients. Returns the function that ends it, with the code of the call.
 */
export function startClientSpan({ parent, name }: DescMethod, metadata: Metadata): (code: number) => void {
  const attributes = { 'rpc.system': 'grpc', 'rpc.service': parent.typeName, 'rpc.method': name };
  const span = tracer.startSpan(`grpc.${parent.typeName}/${name}`, { kind: SpanKind.CLIENT, attributes });
  propagation.inject(trace.setSpan(context.active(), span), metadata, {
    set: (carrier, key, value) => carrier.set(key, value),
  });
  return (code) => {
    span.setAttribute('rpc.grpc.status_code', code);
    if (code !== 0) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };
}
