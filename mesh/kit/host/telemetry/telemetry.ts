import { DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  NodeTracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import { Counter, type Registry } from 'prom-client';
import type { TelemetryConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '../../base/log.ts';
import type { Env } from '../config/config.ts';
import type { MetricExport } from './metric-export.ts';
import { grpcInstrumentation, instrumentation, traceExporter } from './packages.ts';
import { type OtlpTarget, readTelemetrySettings } from './settings.ts';

/** Traces and metrics that leave a process. */
export interface Telemetry {
  /** Whether spans are recorded and exported. */
  recording: boolean;
  /** Returns the number of spans that could not be exported. */
  lostSpanCount(): number;
  /** Registers the metrics of telemetry itself, and starts to export the registry if the settings say so. Called once. */
  attach(registry: Registry): Promise<void>;
  /** Exports the spans that wait, and the metrics as they are. */
  flush(): Promise<void>;
  /** Exports the same, and stops. */
  close(): Promise<void>;
}

/** What tracing starts with, beside the configuration. */
export interface TelemetryOptions {
  /** Takes the spans, instead of the configured collector. */
  exporter?: SpanExporter;
  /** Environment with OpenTelemetry's `OTEL_…` variables. @default none */
  env?: Env;
  /** Gets a warning when an export fails. @default none */
  log?: Logger;
  /** Version of the program, and an id of this process. */
  version?: string;
  instanceId?: string;
  /** Now, in milliseconds. @default Date.now */
  clock?: () => number;
}

/** Least time between two log entries on failed exports, in milliseconds. */
const warnEveryMs = 60_000;

/** Code of a failed export: `ExportResultCode.FAILED` of @opentelemetry/core. */
const failedCode = 1;

/**
 * Starts tracing; call it before grpc-js is loaded. Without a collector nothing is recorded, but every request still has a trace
 * id for logs, answers and the audit. Throws ConfigError for an `OTEL_…` variable that cannot be honoured.
 */
export function startTelemetry(
  config: TelemetryConfig | undefined,
  serviceName: string,
  options: TelemetryOptions = {},
): Telemetry {
  const { version, instanceId } = options;
  const settings = readTelemetrySettings(config, { serviceName, version, instanceId }, options.env ?? {});
  const report = options.log === undefined ? () => {} : createReport(options.log, options.clock ?? Date.now);
  if (options.log !== undefined) reportDiagnostics(report);
  let lost = 0;
  let metricExport: MetricExport | undefined;
  const target = options.exporter ?? createExporter(settings.traces);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes(settings.attributes),
    sampler: target ? settings.sampler : new AlwaysOffSampler(),
    spanProcessors: target
      ? [
          new BatchSpanProcessor(
            watchExports(target, (spanCount, error) => {
              lost += spanCount;
              report(error?.message ?? 'the collector did not accept the spans');
            }),
          ),
        ]
      : [],
  });
  provider.register();
  if (target) {
    const { GrpcInstrumentation } = grpcInstrumentation();
    const instrumentations = [new GrpcInstrumentation()];
    instrumentation().registerInstrumentations({ instrumentations, tracerProvider: provider });
  }
  return {
    recording: target !== undefined,
    lostSpanCount: () => lost,
    async attach(registry) {
      registerTelemetryMetrics(registry, { lostSpanCount: () => lost });
      const { metrics, attributes } = settings;
      if (metrics === undefined) return;
      // Its packages take a twentieth of a second to load, and most processes are scraped.
      const { startMetricExport } = await import('./metric-export.ts');
      metricExport = startMetricExport(registry, { target: metrics, attributes });
    },
    async flush() {
      await metricExport?.flush();
      await provider.forceFlush();
    },
    async close() {
      await metricExport?.close();
      await provider.shutdown();
    },
  };
}

// The exporter reads the other variables, such as OTEL_EXPORTER_OTLP_COMPRESSION and …_CERTIFICATE, itself.
function createExporter(target: OtlpTarget | undefined): SpanExporter | undefined {
  if (target === undefined) return undefined;
  const { url, headers, timeoutMs } = target;
  const { OTLPTraceExporter } = traceExporter();
  return new OTLPTraceExporter({ url, headers, timeoutMillis: timeoutMs });
}

/** Wraps an exporter so that each failed export reports the number of its spans, and the error. */
function watchExports(
  exporter: SpanExporter,
  onLost: (spanCount: number, error: Error | undefined) => void,
): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code === failedCode) onLost(spans.length, result.error);
        done(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

/** Returns a function that logs a failed export, at most once in {@link warnEveryMs}. */
function createReport(log: Logger, clock: () => number): (message: string) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let suppressedCount = 0;
  return (message) => {
    if (clock() - loggedAtMs < warnEveryMs) {
      suppressedCount++;
      return;
    }
    loggedAtMs = clock();
    const advice = 'check telemetry.otlp_endpoint or OTEL_EXPORTER_OTLP_ENDPOINT';
    log.warn(
      { event: 'telemetry_export_failed', error: message.slice(0, 500), suppressedCount, advice },
      'telemetry export failed',
    );
    suppressedCount = 0;
  };
}

/** Sends OpenTelemetry's own errors and warnings to the report. */
function reportDiagnostics(report: (message: string) => void): void {
  const ignore = () => {};
  diag.setLogger(
    { error: report, warn: report, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** Registers the metrics of tracing. */
export function registerTelemetryMetrics(registry: Registry, telemetry: Pick<Telemetry, 'lostSpanCount'>): void {
  new Counter({
    name: 'ragmesh_telemetry_lost_spans_total',
    help: 'Spans that could not be exported to the collector',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(telemetry.lostSpanCount());
    },
  });
}

/** Returns the trace id of the active span, 32 hex digits; empty without one. */
export function activeTraceId(): string {
  return trace.getActiveSpan()?.spanContext().traceId ?? '';
}
