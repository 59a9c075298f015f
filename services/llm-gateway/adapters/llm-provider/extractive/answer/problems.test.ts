import { expect, test } from 'vitest';
import { passagesOf } from '../../../../testing/provider-server.ts';
import { readQuestions } from '../question/question.ts';
import { answerByQuoting } from './answer.ts';

// Customers report a problem, or say why they ask; a page has the procedure.

const answerTo = (question: string, ...passages: Parameters<typeof passagesOf>) => {
  const { isRefusal, pieces } = answerByQuoting(question, passagesOf(...passages));
  return isRefusal ? 'refused' : pieces.join('');
};

const library = {
  title: '借书证指南',
  text: '# 借书证指南\n\n## 挂失\n\n请立即在小程序“证件—挂失”中操作，补办工本费 12 元。\n\n## 借书证升级\n\n持证满一年可以申请升级借书证，需要交押金。',
};
const hostel = {
  title: 'Hostel account',
  text: '# Hostel account\n\n## Forgotten door code\n\nSee your door code in the app under Stay → Code.\n\n## Changing the door code\n\nAsk the desk for another door code.\n\n## Pausing\n\nA long stay can be put on hold for up to three weeks, in the app under Stay → Hold.',
};

test.each([
  ['借书证丢了', '证件—挂失', library],
  ['借书证好像被偷了怎么办', '证件—挂失', library],
  ["I don't remember my door code", 'Stay → Code', hostel],
  ["I'm in Norway for two weeks, can I pause?", 'on hold', hostel],
])('%j is answered with %j', (question, expected, page) => {
  expect(answerTo(question, page)).toContain(expected);
});

test.each([
  ["I've washed my towel, is a return still possible?", 'is a return still possible?'],
  ['My parcel arrived damaged, what now?', undefined],
  ['后天就要出发，能加急吗', '能加急吗'],
  ['别的店更便宜，能补差价吗', undefined],
])('the question of %j without its story is %j', (message, bare) => {
  const [question] = readQuestions(message);
  expect(question?.otherwise.map((read) => read().plain).at(-1)).toBe(bare);
});
