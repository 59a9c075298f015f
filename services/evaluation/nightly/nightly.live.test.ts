import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(5, async () => {
  await import('./nightly.test.ts');
});
