import { expect, test } from 'vitest';
import { fields, list, text } from './fields.ts';
import { parseFields } from './parse-fields.ts';

test('a body is read up to its first problem', () => {
  let readCount = 0;
  const wrong = () => ({
    get name() {
      readCount++;
      return 7;
    },
  });
  const schema = fields({ people: list(fields({ name: text({ max: 8 }) }), { max: 1000 }) });
  expect(() => parseFields(schema, { people: Array.from({ length: 1000 }, wrong) })).toThrow(
    'people[0].name: must be a text, not 7',
  );
  expect(readCount).toBeLessThan(10);
});
