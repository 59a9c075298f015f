import { randomUUID } from 'node:crypto';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger, type Logger } from '#kit/base/log.ts';
import type { Env } from '#kit/host/config/config.ts';
import { startTelemetry, type Telemetry } from '#kit/host/telemetry.ts';
import packageJson from '../../package.json' with { type: 'json' };

// What every process of ragmesh has.

/** Creates the log of a process: as the configuration says, else short on a terminal. */
export function createProcessLogger(config: Config): Logger {
  return createLogger(config.telemetry?.logLevel || (process.stderr.isTTY ? 'warn' : 'info'));
}

/** Starts tracing of a process. */
export function startProcessTelemetry(config: Config, serviceName: string, env: Env, log: Logger): Telemetry {
  const { version } = packageJson;
  return startTelemetry(config.telemetry, serviceName, { env, log, version, instanceId: randomUUID() });
}
