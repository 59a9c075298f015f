import { type ParseArgsConfig, type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { unknownName } from '#kit/base/config-error.ts';
import { CommandError } from './command.ts';

/** The flags of every command. */
export const commonFlags = {
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsOptionsConfig;

/** The flags of commands that call a server. */
export const connectionFlags = {
  ...commonFlags,
  url: { type: 'string' },
  key: { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

const commonHelp = `  --config <file>    configuration file; default: RAGMESH_CONFIG, else ragmesh.yaml if it exists
  --json             print one JSON object instead of text
  -h, --help         print this help
`;
export const environmentHelp = `  RAGMESH_CONFIG     configuration file
  RAGMESH_DATA_DIR   data folder, instead of data_dir of the configuration
  RAGMESH_DEBUG      1: print the stack of an unexpected error
`;

/** The part of a help text that all commands share: common flags and environment variables. */
export const localHelp = `${commonHelp}
Environment variables, each overridden by its flag:

${environmentHelp}`;

/** As {@link localHelp}, for commands that call a server. */
export const connectionHelp = `  --url <url>        server to call; default: RAGMESH_URL, else this machine at the configured port
  --key <key>        API key or token; default: RAGMESH_API_KEY, else the development key of the data folder
${commonHelp}
Environment variables, each overridden by its flag:

  RAGMESH_URL        server to call
  RAGMESH_API_KEY    API key or token
${environmentHelp}`;

/**
 * Parses a command line. Throws CommandError for an unknown flag, with the nearest known one, for a flag without its value, and
 * for a word that no flag takes.
 */
export function parseFlags<const T extends ParseArgsConfig & { args: string[]; options: ParseArgsOptionsConfig }>(
  config: T,
) {
  const { args, options, allowPositionals = false } = config;
  const { tokens } = parseArgs({ args, options, allowPositionals: true, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'option') checkFlag(token, options);
    if (token.kind === 'positional' && !allowPositionals) {
      throw new CommandError(`"${token.value}" is not expected here: flags begin with "--"; see --help`);
    }
  }
  return parseArgs(config);
}

function checkFlag({ name, rawName, value }: FlagToken, options: ParseArgsOptionsConfig): void {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const names = Object.keys(options).map((known) => `--${known}`);
    throw new CommandError(`${rawName}: ${unknownName('flag', rawName, names)}; allowed: ${names.join(', ')}`);
  }
  if (option.type === 'string' && (value === undefined || value.startsWith('-'))) {
    throw new CommandError(`${rawName} needs a value: ${rawName} <value>, or ${rawName}=<value> if it begins with "-"`);
  }
  if (option.type === 'boolean' && value !== undefined) throw new CommandError(`${rawName} takes no value`);
}

interface FlagToken {
  name: string;
  rawName: string;
  value?: string | undefined;
}
