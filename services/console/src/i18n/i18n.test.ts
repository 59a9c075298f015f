import { describe, expect, test } from 'vitest';
import { initialLanguage, messages } from './index.ts';

/** Returns every path of a tree of texts, with the number of parameters for a text that has some. */
function pathsOf(texts: object, prefix = ''): string[] {
  return Object.entries(texts).flatMap(([name, text]) => {
    const path = `${prefix}${name}`;
    return typeof text === 'object' ? pathsOf(text, `${path}.`) : [path];
  });
}

function textsOf(texts: object): string[] {
  return Object.values(texts).flatMap((text) => {
    if (typeof text === 'object') return textsOf(text);
    return typeof text === 'function' ? [text('a', 'b')] : [text];
  });
}

describe('the texts of the page', () => {
  test('have the same keys in both languages', () => {
    expect(pathsOf(messages.zh)).toEqual(pathsOf(messages.en));
  });

  test('are nowhere empty', () => {
    for (const language of ['en', 'zh'] as const) {
      for (const text of textsOf(messages[language])) expect(text.trim()).not.toBe('');
    }
  });
});

describe('the language to begin with', () => {
  const none = { getItem: () => null };

  test('is the first of the browser that the page speaks', () => {
    expect(initialLanguage(none, ['fr-FR', 'zh-TW', 'en-GB'])).toBe('zh');
    expect(initialLanguage(none, ['EN-us'])).toBe('en');
    expect(initialLanguage(none, ['fr'])).toBe('en');
  });

  test('is the one that was chosen before', () => {
    expect(initialLanguage({ getItem: () => 'zh' }, ['en'])).toBe('zh');
    expect(initialLanguage({ getItem: () => 'klingon' }, ['en'])).toBe('en');
  });
});
