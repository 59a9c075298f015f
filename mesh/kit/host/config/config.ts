import { readFileSync } from 'node:fs';
import { create, type DescField, fromJson } from '@bufbuild/protobuf';
import { createValidator, type Violation } from '@bufbuild/protovalidate';
import { parse as parseYaml } from 'yaml';
import { type Config, ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError, throwProblems } from '../../base/config-error.ts';
import { setOrigin } from './config-origin.ts';
import { readShape, showValue } from './config-shape.ts';
import { rangeOf } from './setting-range.ts';

/** Values of the environment, read once in `mesh/run.ts`. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A configuration, and all that is wrong with it. */
export interface ConfigReading {
  /** What could be read; bad values are left out. */
  readonly config: Config;
  readonly problems: readonly ConfigError[];
}

/**
 * Returns the configuration of a file (YAML or JSON; protobuf's JSON mapping of `ragmesh.config.v1.Config`). `${NAME}` in a string
 * is replaced from `env`. Throws ConfigError with the path of every bad value. Without a path: all defaults.
 */
export function loadConfig(path: string | undefined, env: Env): Config {
  const { config, problems } = readConfigFile(path, env);
  throwProblems(problems);
  return config;
}

/** Returns the configuration of a plain value. Throws ConfigError with the path of every bad value. */
export function parseConfig(raw: unknown, env: Env): Config {
  const { config, problems } = readConfigValue(raw, env);
  throwProblems(problems);
  return config;
}

/** Returns the configuration of a file with all its problems. */
export function readConfigFile(path: string | undefined, env: Env): ConfigReading {
  if (path === undefined) return { config: create(ConfigSchema), problems: [] };
  try {
    return readConfigValue(readYaml(path) ?? {}, env, path);
  } catch (error) {
    if (error instanceof ConfigError) return { config: create(ConfigSchema), problems: [error] };
    throw error;
  }
}

function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError(path, code === 'EISDIR' ? 'is a folder: name a file' : `cannot be read: ${message}`);
  }
  try {
    return parseYaml(text);
  } catch (error) {
    // The first line has the problem and its position; those below show the text, which may hold a key.
    throw new ConfigError(path, `is not YAML: ${(error as Error).message.split('\n', 1)[0]}`);
  }
}

/** Returns the configuration of a plain value with all its problems. `file`: that it comes from. */
export function readConfigValue(raw: unknown, env: Env, file = ''): ConfigReading {
  const problems: ConfigError[] = [];
  const environmentPaths: string[] = [];
  const config = fromJson(ConfigSchema, readShape(ConfigSchema, raw, { env, problems, environmentPaths }));
  setOrigin(config, { file, environmentPaths });
  const result = createValidator().validate(ConfigSchema, config);
  if (result.kind === 'error') throw result.error;
  for (const violation of result.violations ?? []) {
    const problem = problemOf(violation, raw);
    // A value that could not be read breaks rules too, and one value may break several.
    if (!problems.some(({ path }) => path === problem.path)) problems.push(problem);
  }
  return { config, problems };
}

function problemOf({ field: path, message, ruleId }: Violation, raw: unknown): ConfigError {
  let text = '';
  let value = raw;
  let field: DescField | undefined;
  for (const step of path) {
    const container = (value ?? {}) as Record<string, unknown>;
    if (step.kind === 'field') {
      text += text === '' ? step.name : `.${step.name}`;
      value = container[step.name] ?? container[step.jsonName];
      field = step;
    } else if (step.kind === 'list_sub') {
      text += `[${step.index}]`;
      value = container[step.index];
    } else if (step.kind === 'map_sub') {
      text += `.${step.key}`;
      value = container[String(step.key)];
    }
  }
  if (field === undefined || path.at(-1) !== field) return new ConfigError(text, message);
  const range = rangeOf(field);
  const allowed = range === undefined ? undefined : [range];
  if (ruleId === 'required') return new ConfigError(text, 'is missing', allowed);
  return new ConfigError(text, allowed === undefined ? message : showValue(field, value), allowed);
}
