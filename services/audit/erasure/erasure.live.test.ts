import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(11, async () => {
  await import('./erasure.slow.test.ts');
});
