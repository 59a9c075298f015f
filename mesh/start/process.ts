import { randomUUID } from 'node:crypto';
import type { DestinationStream } from 'pino';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger, type Logger, standardError } from '#kit/base/log.ts';
import type { Env } from '#kit/host/config/config.ts';
import { readTelemetrySettings } from '#kit/host/telemetry/settings.ts';
import { startTelemetry, type Telemetry } from '#kit/host/telemetry/telemetry.ts';
import packageJson from '../../package.json' with { type: 'json' };

// What every process of ragmesh has.

/** Version of the program. */
export const { version } = packageJson;

/** The log and the telemetry of a process. */
export interface ProcessTelemetry {
  log: Logger;
  telemetry: Telemetry;
}

/** Starts the log and the telemetry of a process. `level`: of the log; default: as the configuration says, else short on a terminal. */
export async function startProcessTelemetry(
  { telemetry: config }: Config,
  serviceName: string,
  env: Env,
  level: string = config?.logLevel || (process.stderr.isTTY ? 'warn' : 'info'),
): Promise<ProcessTelemetry> {
  const identity = { version, instanceId: randomUUID() };
  const { logs, attributes } = readTelemetrySettings(config, { serviceName, ...identity }, env);
  // Loaded only if lines are sent, since every start would wait for its packages.
  const exported = logs && (await import('#kit/host/telemetry/log-export.ts')).createLogExport(logs, attributes);
  const log = createLogger(level, exported && createTee([standardError(), exported]));
  const telemetry = startTelemetry(config, serviceName, { env, log, ...identity });
  return {
    log,
    telemetry: {
      ...telemetry,
      async close() {
        await telemetry.close();
        await exported?.close();
      },
    },
  };
}

function createTee(destinations: readonly DestinationStream[]): DestinationStream {
  return {
    write(line) {
      for (const destination of destinations) destination.write(line);
    },
  };
}
