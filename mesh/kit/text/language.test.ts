import { expect, it } from 'vitest';
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
