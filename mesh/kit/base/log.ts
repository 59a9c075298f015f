import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { describeError } from './describe-error.ts';

/** A structured logger. Events with fields; never documents, prompts or secrets. */
export type Logger = PinoLogger;

/**
 * Creates the process's logger: JSON lines on standard error, each with the trace it belongs to. An error in the field `err` is written
 * by {@link describeError}. `destination`: receives the lines instead, for tests.
 */
export function createLogger(level: string, destination: DestinationStream = standardError()): Logger {
  return pino(
    {
      level: level || 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
      },
    },
    destination,
  );
}

/** Returns the destination of a process's log. */
export function standardError(): DestinationStream {
  return pino.destination({ fd: 2, sync: true });
}
