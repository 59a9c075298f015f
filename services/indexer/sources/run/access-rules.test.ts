import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAccessRules } from './access-rules.ts';

const parse = (text: string) => parseAccessRules(Buffer.from(text), 'folder');

test('the rule with the longest path decides, and without a rule no one may see a file', () => {
  const access = parse('rules:\n- { path: help/, groups: everyone }\n- { path: help/hr/, groups: [hr, leads] }\n');
  expect(access('help/a.md').groups).toBe('everyone');
  expect(access('help/hr/a.md').groups).toEqual(['hr', 'leads']);
  expect(access('other/a.md').groups).toEqual([]);
  expect(parse('{"rules":[{"path":"","groups":["staff"]}]}')('other/a.md').groups).toEqual(['staff']);
});

test.each([
  ['rules: [', 'is not YAML'],
  ['- 1', 'is wrong'],
  ['rules: [{ path: a, groups: all }]', 'is wrong at rules.0.groups'],
  ['rules: [{ path: a, group: [b] }]', 'is wrong at rules.0'],
  ['rules: [{ path: a, groups: [b] }, { path: a, groups: everyone }]', 'two rules for one path'],
  [`a: &a [x]\nrules: [{ path: a, groups: *a }]`, 'is not YAML'],
  [`# ${'x'.repeat(1 << 20)}`, 'is larger'],
])('%#: a file that is not a list of rules changes nothing', (text, problem) => {
  expect(() => parse(text)).toThrow(problem);
});

test('a file is never open to more than its longest rule says, whatever the other rules are', () => {
  const path = fc.stringMatching(/^[ab/]{0,6}$/);
  const rule = fc.record({ path, groups: fc.constantFrom<'everyone' | string[]>('everyone', ['x'], ['y', 'z'], []) });
  fc.assert(
    fc.property(fc.uniqueArray(rule, { selector: (each) => each.path, maxLength: 8 }), path, (rules, id) => {
      const found = rules.filter((each) => id.startsWith(each.path)).sort((a, b) => b.path.length - a.path.length)[0];
      expect(parse(JSON.stringify({ rules }))(id)).toEqual({ id, groups: found?.groups ?? [] });
    }),
  );
});
