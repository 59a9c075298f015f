/** A bad value in the configuration: where it is, what is wrong, and what is allowed. Stops the start. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(path: string, problem: string, allowed?: readonly string[]) {
    super(`${path}: ${problem}${allowed === undefined ? '' : `; allowed: ${allowed.join(', ')}`}`);
  }
}
