import { context, isSpanContextValid, ROOT_CONTEXT, trace } from '@opentelemetry/api';

// W3C Trace Context (https://www.w3.org/TR/trace-context/), written here because a call of a group must not cost a propagator.

const header = 'traceparent';

/** Returns the header that carries the active span; `undefined` without one. */
export function traceParent(): readonly [string, string] | undefined {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return [header, `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`];
}

/** Runs `work` in the trace that the headers of a call carry. */
export function inTraceOf<T>(headers: readonly (readonly [string, string])[], work: () => T): T {
  const value = headers.find(([name]) => name === header)?.[1];
  const [, traceId = '', spanId = '', flags = ''] = value?.split('-') ?? [];
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(span)) return work();
  return context.with(trace.setSpanContext(ROOT_CONTEXT, span), work);
}
