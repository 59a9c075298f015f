import { trace } from '@opentelemetry/api';
import { type Logger as PinoLogger, pino } from 'pino';

/** A structured logger. Events with fields; never documents, prompts or secrets. */
export type Logger = PinoLogger;

/** Creates the process's logger: JSON lines on standard error, each with the trace it belongs to. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level: level || 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
      },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
