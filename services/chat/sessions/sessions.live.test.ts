import { onPostgres } from '#kit/testing/on-postgres.ts';

await onPostgres(55, async () => {
  await import('./sessions.test.ts');
  await import('./feedback.test.ts');
  await import('../evidence/curated/curated.test.ts');
  await import('../handover/inbox/inbox.test.ts');
  await import('../ask/cancel.test.ts');
  await import('../ask/tools.test.ts');
  await import('../understand/past.test.ts');
});
