import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from '../answer/answer.ts';

const answerTo = (question: string, ...passages: Parameters<typeof passagesOf>) => {
  const { isRefusal, pieces } = answerByQuoting(question, passagesOf(...passages));
  return isRefusal ? 'refused' : pieces.join('');
};

const riding = {
  title: 'Riding school',
  text: '# Riding school\n\nA trial lesson costs €19, which is credited if you enrol.\n\n| Lesson: Single | Length: 50 min | Fee per lesson: €41 |\n| Lesson: Group | Length: 90 min | Fee per lesson: €27 |\n\nThe bay is open from 12 April to 9 October and has 40 boxes. The large hall has 900 m².',
};
const repairs = {
  title: 'Repairs',
  text: '# Repairs\n\n## Timeline\n\n1. Inspection: 2 working days after arrival.\n2. Quotation, if the repair is not free. It stays valid for 12 days.\n3. Repair: normally finished 8 working days after arrival or after you accept the quotation.\n4. Return shipping: 3 days.',
};

test('the size by which a thing is named chooses the statement about it', () => {
  expect(answerTo('How much is a 50 minute lesson?', riding)).toContain('€41');
  expect(answerTo('How much is a 90 minute lesson?', riding)).toContain('€27');
});

test('beside the item that the question names by its label, the others are noise', () => {
  const text = answerTo('How long does a repair take?', repairs);
  expect(text).toContain('8 working days');
  expect(text).not.toContain('12 days');
});

test('a value of another shape is no answer', () => {
  expect(answerTo('When was the bay opened?', riding)).toBe('refused');
  expect(answerTo('How high is the large hall?', riding)).toBe('refused');
});
