import { createRequire } from 'node:module';

// OpenTelemetry's packages for exports, some 500 files. Each is loaded when an export is configured, immediately, because tracing starts before
// grpc-js is loaded.

const require = createRequire(import.meta.url);

export const traceExporter = () =>
  require('@opentelemetry/exporter-trace-otlp-proto') as typeof import('@opentelemetry/exporter-trace-otlp-proto');

export const metricExporter = () =>
  require('@opentelemetry/exporter-metrics-otlp-proto') as typeof import('@opentelemetry/exporter-metrics-otlp-proto');

export const logExporter = () =>
  require('@opentelemetry/exporter-logs-otlp-proto') as typeof import('@opentelemetry/exporter-logs-otlp-proto');

export const sdkMetrics = () => require('@opentelemetry/sdk-metrics') as typeof import('@opentelemetry/sdk-metrics');

export const sdkLogs = () => require('@opentelemetry/sdk-logs') as typeof import('@opentelemetry/sdk-logs');

export const instrumentation = () =>
  require('@opentelemetry/instrumentation') as typeof import('@opentelemetry/instrumentation');

export const grpcInstrumentation = () =>
  require('@opentelemetry/instrumentation-grpc') as typeof import('@opentelemetry/instrumentation-grpc');
