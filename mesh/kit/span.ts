import { type Attributes, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('ragmesh');

/** Runs `work` inside a span; an error marks the span and goes on to the caller. */
export function withSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
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

/** Streams `messages` inside a span that ends with the stream, also where its consumer leaves early. */
export async function* streamInSpan<T>(
  name: string,
  attributes: Attributes,
  messages: (span: Span) => AsyncIterable<T>,
): AsyncIterable<T> {
  const span = tracer.startSpan(name, { attributes });
  const inner = trace.setSpan(context.active(), span);
  const iterator = context.with(inner, () => messages(span)[Symbol.asyncIterator]());
  let finished = false;
  try {
    for (;;) {
      const result = await context.with(inner, () => iterator.next());
      if (result.done === true) {
        finished = true;
        return;
      }
      yield result.value;
    }
  } catch (error) {
    finished = true;
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    if (!finished) await context.with(inner, () => iterator.return?.());
    span.end();
  }
}
