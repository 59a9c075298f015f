/** Settings of the service. */
export interface AccountsSettings {
  /** Most keys of a tenant that are neither revoked nor expired. */
  readonly maxKeysPerTenant: number;
  /** Longest life of a key of another tenant, in milliseconds. */
  readonly breakGlassMs: number;
  /** Most limits of a tenant that are stored. */
  readonly maxLimitsPerTenant: number;
  /** Longest time until the end of a raise, in milliseconds. */
  readonly maxRaiseMs: number;
}

/** Returns the settings. */
export function readConfig(): AccountsSettings {
  const dayMs = 24 * 60 * 60 * 1000;
  return Object.freeze({
    maxKeysPerTenant: 10_000,
    breakGlassMs: dayMs,
    maxLimitsPerTenant: 2000,
    maxRaiseMs: 366 * dayMs,
  });
}
