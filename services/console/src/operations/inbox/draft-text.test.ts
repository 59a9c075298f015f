import { expect, test } from 'vitest';
import { draftPath, draftText, textOfDraft } from './draft-text.ts';

test('the path of a draft is readable, and its own for every topic', () => {
  const path = (question: string, topicId: string) => draftPath({ question, topicId });
  expect(path('Do you rent out telescopes?', '4f1c9d2e-77')).toBe('inbox/do-you-rent-out-telescopes-4f1c9d2e.md');
  expect(path('你们有实体店吗？', 'a1')).toBe('inbox/你们有实体店吗-a1.md');
  expect(path('???', 'a1')).toBe('inbox/a1.md');
  expect(path('../../etc/passwd', 'a1')).toBe('inbox/etc-passwd-a1.md');
  expect(path('long '.repeat(100), 'a1').length).toBeLessThan(70);
  // A character of two code units is not cut in half.
  expect(path(`a${'𠮷'.repeat(100)}`, 'a1').isWellFormed()).toBe(true);
});

test('a draft is one heading and its text, and is read back as it was written', () => {
  expect(draftText(' Renting\ntelescopes ', ' Two weeks.\n\n## Deposit\n\n50 euros. ')).toBe(
    '# Renting telescopes\n\nTwo weeks.\n\n## Deposit\n\n50 euros.\n',
  );
  expect(textOfDraft('# Renting telescopes\n\nTwo weeks.\n\n## Deposit\n\n50 euros.\n')).toBe(
    'Two weeks.\n\n## Deposit\n\n50 euros.',
  );
});
