import fc from 'fast-check';
import { expect, it, test } from 'vitest';
import { detectLanguage } from './language.ts';

it.each([
  ['如何使用iPhone 15 Pro Max', 'zh'],
  ['Kubernetes集群', 'zh'],
  ['What does 退货 mean here', 'en'],
  ['ok', 'en'],
  ['日本語のテキストです', 'und'],
  ['привет мир', 'und'],
  ['123 ¥', 'und'],
  ['', 'und'],
])('takes %j for %s', (text, language) => {
  expect(detectLanguage(text)).toBe(language);
});

test('a text of plain characters has the language that it has beside a sign of another kind', () => {
  const characters = fc.constantFrom(...Array.from('aZ09 .-、。《》【】！（），？“’退货一龥'));
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 40 }), (signs) => {
      const text = signs.join('');
      // The sign is no letter, and takes the text the long way.
      expect(detectLanguage(text)).toBe(detectLanguage(`${text} §`));
    }),
  );
});
