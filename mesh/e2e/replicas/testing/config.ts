/** Returns the part of the configuration that all replicas share: records in PostgreSQL, cache and limits in Redis. */
export function sharedConfig(databaseUrl: string, redisPort: number): Record<string, unknown> {
  const redis = { adapter: 'redis', settings: { url: `redis://127.0.0.1:${redisPort}` } };
  return {
    storage: { database: databaseUrl },
    cache: { durable_store: redis },
    edge: { limiter: redis },
    indexer: { lease_ms: 3000 },
  };
}
