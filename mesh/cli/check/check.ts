import type { ConfigError } from '#kit/base/config-error.ts';
import { checkServices } from '#kit/host/config/check-config.ts';
import { checkAdapters } from '#kit/host/config/chosen-adapters.ts';
import { type Env, readConfigFile } from '#kit/host/config/config.ts';
import { printConfig } from '#kit/host/config/print-config.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';

// `npm start -- --check` and `--print-config`.

const folder = new URL('../../../services/', import.meta.url);

/** A configuration file to check. */
export interface CheckedFile {
  /** The file; `undefined`: all defaults. */
  path: string | undefined;
  env: Env;
  /** Services to run, and every service of the mesh. */
  chosen: readonly ServiceDefinition[];
  known: readonly ServiceDefinition[];
}

/** Returns every problem of a configuration: keys, values, adapters and their settings, and what the services refuse. */
export async function problemsOfFile({ path, env, chosen, known }: CheckedFile): Promise<readonly ConfigError[]> {
  const { config, problems } = readConfigFile(path, env);
  const found = [...problems, ...(await checkAdapters(config, folder)), ...checkServices(config, chosen, known)];
  return found.filter(({ path: at }, index) => found.findIndex((other) => other.path === at) === index);
}

/** Prints every problem of the file, or that there is none. Returns the exit code. */
export async function check(file: CheckedFile): Promise<number> {
  const problems = await problemsOfFile(file);
  const name = file.path ?? 'without a file';
  if (problems.length === 0) {
    process.stdout.write(`${name}: the configuration is valid\n`);
    return 0;
  }
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
  process.stderr.write(`${name}: ${count}\n${problems.map(({ message }) => `  ${message}\n`).join('')}`);
  return 1;
}

/** Prints the configuration with its defaults, secrets masked; a bad one prints its problems. Returns the exit code. */
export async function print(file: CheckedFile): Promise<number> {
  const problems = await problemsOfFile(file);
  if (problems.length > 0) return check(file);
  process.stdout.write(await printConfig(readConfigFile(file.path, file.env).config, folder));
  return 0;
}
