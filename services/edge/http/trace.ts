import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';

const tracer = trace.getTracer('ragmesh');

/**
 * Serves a request inside a span that ends with its response and continues the caller's trace (W3C `traceparent`), so that calls
 * of services are below it. The response names the trace in `x-trace-id`.
 */
export function inRequestSpan<T>(route: string, request: NodeRequest, response: NodeResponse, serve: () => T): T {
  const isContinued = propagation.fields().some((name) => request.headers[name] !== undefined);
  const parent = isContinued ? propagation.extract(context.active(), request.headers) : context.active();
  const method = request.method ?? '';
  const span = tracer.startSpan(
    `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } },
    parent,
  );
  if (span.isRecording()) response.once('close', () => end(span, response));
  response.setHeader('x-trace-id', span.spanContext().traceId);
  return context.with(trace.setSpan(parent, span), serve);
}

function end(span: Span, response: NodeResponse): void {
  span.setAttribute('http.response.status_code', response.statusCode);
  if (response.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
