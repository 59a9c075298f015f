import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Env } from '#kit/host/config/config.ts';

/** What a command runs with. */
export interface CommandContext {
  args: string[];
  env: Env;
  /** Reads the configuration: the named file, or else the default one. */
  readConfig(path: string | undefined): Promise<Config>;
  /** Starts every service in this process on free ports, without a greeting; for when no server runs. */
  startMesh(config: Config): Promise<{ edgePort: number; close(): Promise<void> }>;
}

/** A command. Resolves to its exit code. */
export type Command = (context: CommandContext) => Promise<number>;

/** A problem of the command line: printed without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Prints a value as one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
