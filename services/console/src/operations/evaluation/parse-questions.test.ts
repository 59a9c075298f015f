import { expect, test } from 'vitest';
import { ConversationAct } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { parseQuestions } from './parse-questions.ts';

test('questions are read from lines, with grades or a list of documents', () => {
  const text =
    '{"id":"1","text":"a?","documents":{"x.md":2,"y.md":0}}\n\n{"id":"2","text":"b?","documents":["z.md"]}\r\n';
  expect(parseQuestions(text)).toMatchObject([
    {
      queryId: '1',
      text: 'a?',
      judgements: [
        { documentId: 'x.md', grade: 2 },
        { documentId: 'y.md', grade: 0 },
      ],
    },
    { queryId: '2', text: 'b?', judgements: [{ documentId: 'z.md', grade: 1 }] },
  ]);
});

test('judgements of other suites are read by their names in the contract', () => {
  const text =
    '{"id":"1","text":"a?","answer":{"facts":[{"wordings":["9"]}]},"act":{"act":"CONVERSATION_ACT_GREETING"}}';
  expect(parseQuestions(text)).toMatchObject([
    { queryId: '1', answer: { facts: [{ wordings: ['9'] }] }, act: { act: ConversationAct.GREETING } },
  ]);
});

test.each([
  'x',
  '{"id":"1","text":"a","answer":[1]}',
  '[]',
  '{"id":"1"}',
  '{"id":"1","text":"a","documents":{"x":11}}',
  '{"id":1,"text":"a"}',
])('the line of what is no question is named: %s', (line) => {
  expect(() => parseQuestions(`{"id":"1","text":"a"}\n${line}`)).toThrow('line 2');
});
