/** Returns the key of an id of a tenant, for maps. */
export const keyOf = (tenant: string, id: string): string => JSON.stringify([tenant, id]);

/** Returns the tenants of a batch, each once. */
export const tenantsOf = (batch: readonly { tenant: string }[]): string[] => [
  ...new Set(batch.map(({ tenant }) => tenant)),
];
