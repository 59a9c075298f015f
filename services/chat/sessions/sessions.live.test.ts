import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(28, async () => {
  await import('./sessions.test.ts');
  await import('../ask/cancel.test.ts');
});
