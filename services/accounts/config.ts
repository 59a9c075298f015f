/** Settings of the service. */
export interface AccountsSettings {
  /** Most keys of a tenant that are neither revoked nor expired. */
  readonly maxKeysPerTenant: number;
  /** Longest life of a key of another tenant, in milliseconds. */
  readonly breakGlassMs: number;
}

/** Returns the settings. */
export function readConfig(): AccountsSettings {
  return Object.freeze({ maxKeysPerTenant: 10_000, breakGlassMs: 24 * 60 * 60 * 1000 });
}
