import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(43, async () => {
  await import('./service.test.ts');
  await import('./export/export.test.ts');
  await import('./usage/ledger.test.ts');
  await import('./records/verify.test.ts');
});
