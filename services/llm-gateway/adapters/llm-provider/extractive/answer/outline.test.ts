import { describe, expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { answerByQuoting } from './answer.ts';

// Short questions, which a page or a section answers as a whole.

const loans = (heading: string, text: string) => ({
  title: 'Borrowing and returning books',
  headingPath: [heading],
  text,
});
const evidence = passagesOf(
  loans('How many you may have', 'Readers may have 12 books at a time. Staff of the library may have 30.'),
  loans('Returning', 'At the desk or in the box outside:\n\n1. Put the book into the box.\n2. Take the receipt.'),
  loans('What cannot be borrowed', '- newspapers of the day\n- maps made before 1900'),
  {
    title: 'Reminders',
    headingPath: ['When they are sent'],
    text: 'A reminder is sent 3 days before the end, and again after 5 days.',
  },
);
const answerTo = (question: string) => {
  const { isRefusal, pieces } = answerByQuoting(question, evidence);
  return isRefusal ? 'refused' : pieces.join('');
};

describe('a short question is answered by', () => {
  test.each([
    ['the steps of the page that is about it', 'How do I return something?', 'Put the book into the box'],
    ['the section whose heading asks the same', 'When is a reminder sent?', '3 days before'],
    ['the list under a heading that denies, if it denies too', "What can't be borrowed?", 'maps made before 1900'],
    [
      'the outline of the page, if it asks for the rules',
      'What is your borrowing policy?',
      'Readers may have 12 books',
    ],
  ])('%s', (_, question, quoted) => {
    expect(answerTo(question)).toContain(quoted);
  });
});

test.each([
  ['names something that no page is about', 'How do I return a violin?'],
  ['asks for one thing that the page does not name', 'Which borrowing app do you have?'],
])('no page answers a question that %s', (_, question) => {
  expect(answerTo(question)).not.toContain('Readers may have');
});

test('a list ends before the heading of the next section', () => {
  expect(answerTo('What is your borrowing policy?')).toMatch(/\[2\]\n\nWhat cannot be borrowed:\n- /);
});
