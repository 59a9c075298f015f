import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import { logExporter, sdkLogs } from './packages.ts';
import type { OtlpTarget } from './settings.ts';

/** A destination of log lines that sends them to a collector. Lines beyond its queue of 2048 are dropped: the log itself has them. */
export interface LogExport {
  write(line: string): void;
  flush(): Promise<void>;
  /** Exports what waits, and stops. */
  close(): Promise<void>;
}

/** Creates the destination. `attributes`: of the resource. `exporter`: takes the records, instead of the collector. */
export function createLogExport(
  target: OtlpTarget,
  attributes: Readonly<Record<string, string>>,
  exporter: LogRecordExporter = createExporter(target),
): LogExport {
  const { BatchLogRecordProcessor, LoggerProvider } = sdkLogs();
  const provider = new LoggerProvider({
    resource: resourceFromAttributes(attributes),
    processors: [new BatchLogRecordProcessor({ exporter, exportTimeoutMillis: target.timeoutMs })],
  });
  const logger = provider.getLogger('ragmesh');
  return {
    write(line) {
      const { level, time, msg, event, trace_id: traceId, span_id: spanId, ...fields } = JSON.parse(line);
      const span = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
      logger.emit({
        ...severityOf(level),
        ...(time === undefined ? {} : { timestamp: new Date(time) }),
        ...(event === undefined ? {} : { eventName: event }),
        body: msg,
        attributes: toAttributes(fields),
        context: traceId && spanId ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT,
      });
    },
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown(),
  };
}

function createExporter({ url, headers, timeoutMs }: OtlpTarget): LogRecordExporter {
  const { OTLPLogExporter } = logExporter();
  return new OTLPLogExporter({ url, headers, timeoutMillis: timeoutMs });
}

/** Levels of pino, and the first severity number of the same range in OpenTelemetry's data model of logs. */
const severities: readonly [minLevel: number, severityText: string, severityNumber: number][] = [
  [60, 'FATAL', 21],
  [50, 'ERROR', 17],
  [40, 'WARN', 13],
  [30, 'INFO', 9],
  [20, 'DEBUG', 5],
  [0, 'TRACE', 1],
];

function severityOf(level: number): { severityText: string; severityNumber: number } {
  const [, severityText, severityNumber] = severities.find(([minLevel]) => level >= minLevel) ?? [0, 'INFO', 9];
  return { severityText, severityNumber };
}

function toAttributes(fields: Record<string, unknown>): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
        ? value
        : JSON.stringify(value),
    ]),
  );
}
