import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(9, async () => {
  await import('./usage-rpcs.test.ts');
});
