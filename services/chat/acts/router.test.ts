import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConversationAct as Act } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { threadCpuMs } from '#kit/testing/time.ts';
import { createRouter, isSearched } from './router.ts';

const route = createRouter();

describe('a message without a question', () => {
  test.each([
    ['你好', Act.GREETING],
    ['hi', Act.GREETING],
    ['谢谢', Act.THANKS],
    ['ok', Act.THANKS],
    ['👍', Act.THANKS],
    ['再见', Act.GOODBYE],
    ['who are you', Act.IDENTITY],
    ['你能做什么？', Act.IDENTITY],
    ['你们能干什么', Act.IDENTITY],
    ['这个机器人能干嘛', Act.IDENTITY],
    ['助手能做什么', Act.IDENTITY],
    ['能干什么', Act.IDENTITY],
    ['转人工', Act.HANDOVER],
    ['轉人工', Act.HANDOVER],
    ['I want to talk to a human agent', Act.HANDOVER],
    ['agent please', Act.HANDOVER],
    ['我要投诉', Act.COMPLAINT],
    ['your service is terrible', Act.COMPLAINT],
    ['？？？', Act.UNCLEAR],
    ['tell me a joke', Act.OUT_OF_SCOPE],
    ['今天天气怎么样', Act.OUT_OF_SCOPE],
    ['what time is it?', Act.OUT_OF_SCOPE],
    ['book me a hotel', Act.OUT_OF_SCOPE],
    ['12 x 34 =', Act.OUT_OF_SCOPE],
    ['you are an idiot', Act.ABUSE],
    ['where is my order 88213?', Act.ORDER_STATUS],
    ['总结一下退货政策', Act.SUMMARY],
  ])('%s', (message, act) => {
    expect(route(message).act).toBe(act);
  });
});

describe('a question is searched, whatever else is in the message,', () => {
  test.each([
    '你好，请问怎么退货？',
    'Hi there, quick question: how long is the warranty? Thanks a lot in advance!',
    '谢谢，那怎么申请？',
    '怎么联系人工客服',
    'How do I talk to a real person?',
    '怎么投诉商家？',
    '客户辱骂客服怎么办',
    'can the projector play music?',
    'LMP-2040',
    '台灯',
    '再见优惠券是什么',
    'What time do you close on Sundays?',
    'when do the stores open',
    'Is there a restaurant on board?',
    'Cost of a 200 x 270 curtain?',
    '积分能干什么',
    '积分可以干嘛？',
    '会员能干什么',
    '金线会员能干啥',
    '礼品卡能做什么',
    '优惠券可以干什么',
    '流明钱包能干嘛',
    '这个灯能干什么',
    '你们的会员能干什么',
    '你们的投影仪能做什么',
    'App 能干什么',
    'what can I do with my points',
    'what does the app do',
    'What if no one is home?',
  ])('%s', (message) => {
    expect(isSearched(route(message).act)).toBe(true);
  });

  test('as every judged question of the sample is', () => {
    const folder = new URL('../../../deployments/sample-gold/', import.meta.url);
    const lines = readFileSync(new URL('queries.jsonl', folder), 'utf8').trim().split('\n');
    const questions = lines.map((line) => (JSON.parse(line) as { text: string }).text);
    expect(questions.filter((text) => !isSearched(route(text).act))).toEqual([]);
    expect(questions.length).toBeGreaterThan(70);
  });
});

test('a message of any length takes little time', () => {
  const long = 'How do I return it? 怎么退货？'.repeat(300);
  route(long);
  const before = threadCpuMs();
  for (let count = 0; count < 50; count++) route(long);
  expect((threadCpuMs() - before) / 50).toBeLessThan(5);
});

test.each([
  'Do you have a store?',
  'Do you have parking?',
  'Do you offer discounts?',
  'Are you hiring?',
  'When can I call you?',
  'Is there a loyalty programme?',
])('what the organisation has is searched: %s', (message) => {
  expect(isSearched(route(message).act)).toBe(true);
});
