import { create } from '@bufbuild/protobuf';
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { type TelemetryConfig, TelemetryConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';

/** Tracing of a process. */
export interface Telemetry {
  /** Whether spans are recorded and exported. */
  recording: boolean;
  /** Exports what is left. */
  flush(): Promise<void>;
  /** Exports what is left and stops. */
  close(): Promise<void>;
}

/**
 * Starts tracing; call it before grpc-js is loaded. Without an endpoint nothing is recorded, yet every request still has a
 * trace id for logs, answers and the audit.
 */
export function startTelemetry(
  given: TelemetryConfig | undefined,
  serviceName: string,
  exporter?: SpanExporter,
): Telemetry {
  const config = given ?? create(TelemetryConfigSchema);
  const endpoint = config.otlpEndpoint;
  const target =
    exporter ?? (endpoint ? new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }) : undefined);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.namespace': 'ragmesh' }),
    sampler: target
      ? new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.sampleRatio) })
      : new AlwaysOffSampler(),
    spanProcessors: target ? [new BatchSpanProcessor(target)] : [],
  });
  provider.register();
  if (target) registerInstrumentations({ instrumentations: [new GrpcInstrumentation()], tracerProvider: provider });
  return { recording: target !== undefined, flush: () => provider.forceFlush(), close: () => provider.shutdown() };
}

/** The trace id of the work under way, 32 hex digits; empty outside of any. */
export function activeTraceId(): string {
  return trace.getActiveSpan()?.spanContext().traceId ?? '';
}
