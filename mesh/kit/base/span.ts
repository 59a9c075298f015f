import {
  type Attributes,
  context,
  INVALID_SPAN_CONTEXT,
  type Span,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('ragmesh');

/**
 * Returns the active span if its trace is not sampled: spans below it would only cost time, and their trace id is its own. `undefined`
 * if a span must be started.
 */
function unsampledSpan(): Span | undefined {
  const span = trace.getActiveSpan();
  return span === undefined || (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0 ? undefined : span;
}

/** Runs `work` in a trace that is not sampled, so that no span of it is recorded. */
export function withoutSpans<T>(work: () => Promise<T>): Promise<T> {
  return context.with(trace.setSpan(context.active(), trace.wrapSpanContext(INVALID_SPAN_CONTEXT)), work);
}

/** Runs `work` inside a span; an error marks the span and is thrown to the caller. */
export function withSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  const unsampled = unsampledSpan();
  if (unsampled !== undefined) return work(unsampled);
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/**
 * Streams `messages` inside a span that ends with the stream, also if its consumer leaves early. It is no generator, which
 * would double the cost.
 */
export function streamInSpan<T>(
  name: string,
  attributes: Attributes,
  messages: (span: Span) => AsyncIterable<T>,
): AsyncIterable<T> {
  const unsampled = unsampledSpan();
  if (unsampled !== undefined) return messages(unsampled);
  const span = tracer.startSpan(name, { attributes });
  const inner = trace.setSpan(context.active(), span);
  const iterator = context.with(inner, () => messages(span)[Symbol.asyncIterator]());
  let isOver = false;
  const end = () => {
    if (!isOver) span.end();
    isOver = true;
  };
  const onResult = (result: IteratorResult<T>) => {
    if (result.done === true) end();
    return result;
  };
  const onError = (error: unknown) => {
    if (!isOver) span.setStatus({ code: SpanStatusCode.ERROR });
    end();
    throw error;
  };
  const spanned: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => context.with(inner, () => iterator.next()).then(onResult, onError),
    async return() {
      try {
        await context.with(inner, () => iterator.return?.());
      } finally {
        end();
      }
      return { done: true, value: undefined };
    },
  };
  return spanned;
}
