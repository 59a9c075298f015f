/** Names something of a tenant, in maps. */
export const keyOf = (tenant: string, id: string): string => JSON.stringify([tenant, id]);

/** Tenants of a batch, each once. */
export const tenantsOf = (batch: readonly { tenant: string }[]): string[] => [
  ...new Set(batch.map(({ tenant }) => tenant)),
];
