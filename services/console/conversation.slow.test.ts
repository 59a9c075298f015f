import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { HandoverReason, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { AnswerOutcome, ToolCallStatus } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type AnswerEventInit, says } from './testing/answers.ts';
import { findChromium } from './testing/browser.ts';
import { type ConsoleBrowser, startConsoleBrowser, timeout } from './testing/console-page.ts';
import { type StandIn, startStandIn } from './testing/stand-in.ts';

const chromium = findChromium();
if (chromium === undefined) console.log('skipped: console conversation test (no Chromium)');

const done = (outcome: AnswerOutcome): AnswerEventInit => ({ case: 'done', value: { outcome } });
const handover = (state: HandoverState): AnswerEventInit => ({
  case: 'handover',
  value: { state, reason: HandoverReason.REQUESTED },
});
const call = (status: ToolCallStatus, rest: object = {}): AnswerEventInit => ({
  case: 'toolCall',
  value: {
    ...{ callId: 'c1', tool: 'order_status', title: 'Order status', argumentsJson: '{"order_id":"PPR-10482"}' },
    ...{ status, latencyUs: 4200n, ...rest },
  },
});
const result = {
  chunkId: 'tool:order_status#c1',
  documentId: 'tool:order_status',
  title: 'Order status',
  text: 'status: on its way\nexpected_on: 2026-12-05',
  untrusted: true,
};

describe.skipIf(chromium === undefined)('a conversation in a browser', () => {
  let browser: ConsoleBrowser;
  let standIn: StandIn;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await startConsoleBrowser(chromium ?? '', (complaint) => complaints.push(complaint));
  });
  afterAll(() => browser?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    complaints = [];
    standIn = await startStandIn(browser.dist);
    await open('en-GB');
  });
  afterEach(async () => {
    await page.context().close();
    await standIn.close();
    expect(complaints).toEqual([]);
  });

  async function open(locale: string) {
    page = await browser.newPage({ locale });
    await page.goto(standIn.url);
  }
  const at = (testId: string) => page.getByTestId(testId);
  const ask = async (question: string) => {
    await at('question').fill(question);
    await at('question').press('Enter');
    await page.locator('[data-testid=turn][data-phase=done]:last-child').waitFor();
  };
  /** Reaches an element by Tab alone, and presses Enter. */
  const press = async (testId: string) => {
    const target = at(testId).first();
    for (let count = 0; count < 60; count++) {
      if (await target.evaluate((element) => element === document.activeElement)) break;
      await page.keyboard.press('Shift+Tab');
    }
    expect(await target.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press('Enter');
  };
  const expectAccessible = async () => {
    await page.evaluate(axe.source);
    const found = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
    expect(found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  };
  const screenshot = async (name: string) => {
    const folder = process.env.RAGMESH_SCREENSHOTS;
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
  };

  test('a call of a tool shows its name, its arguments and its result as a source', async () => {
    standIn.answer = () => [
      call(ToolCallStatus.RUNNING),
      { case: 'sources', value: { passages: [result] } },
      call(ToolCallStatus.SUCCEEDED, { marker: 1 }),
      says('It is on its way and arrives on 2026-12-05 [1].'),
      { case: 'citation', value: { marker: 1, ...result } as never },
      done(AnswerOutcome.ANSWERED),
    ];
    await ask('Where is my order PPR-10482?');
    expect(await at('tool-call').textContent()).toContain('Order statusorder_id: PPR-10482');
    await expectAccessible();
    await screenshot('tool-call');
    await press('tool-result');
    expect(await at('document-text').textContent()).toContain('on its way');
    await screenshot('tool-result');
  });

  test('a call that changes something is approved or declined by keyboard', async () => {
    standIn.answer = ({ toolDecision }) =>
      toolDecision === undefined
        ? [call(ToolCallStatus.NEEDS_APPROVAL), says('Shall I?'), done(AnswerOutcome.REPLIED)]
        : [call(ToolCallStatus.DECLINED), says('It was not run.'), done(AnswerOutcome.REPLIED)];
    await ask('Cancel my order');
    await expectAccessible();
    await screenshot('tool-approval');
    await press('tool-decline');
    await page.locator('[data-status=declined]').waitFor();
    expect(standIn.questions.at(-1)).toMatchObject({
      question: 'No, do not run “Order status”.',
      toolDecision: { callId: 'c1', approved: false },
    });
    // What was decided cannot be decided again.
    expect(await at('tool-approve').count()).toBe(0);
  });

  test('a person is offered, requested, waited for, there, and gone again', async () => {
    const states = [
      HandoverState.OFFERED,
      HandoverState.WAITING,
      HandoverState.WITH_PERSON,
      HandoverState.RETURNED,
    ].values();
    standIn.answer = () => [
      says('Here is what I can do.'),
      handover(states.next().value ?? HandoverState.UNSPECIFIED),
      done(AnswerOutcome.REPLIED),
    ];
    await ask('I am not happy');
    await screenshot('handover-offered');
    await press('handover-request');
    await at('handover-waiting').waitFor();
    expect(standIn.questions.at(-1)?.question).toBe('I want to talk to a human agent');
    await expectAccessible();
    await screenshot('handover-waiting');
    await ask('Hello?');
    await at('handover-with-person').waitFor();
    await ask('And now?');
    await at('handover-returned').waitFor();
    expect(await at('handover-request').count()).toBe(0);
  });

  test('choices and suggested questions are asked by one press', async () => {
    standIn.answer = ({ question }) =>
      question === 'the lamp'
        ? [
            says('What about the lamp?'),
            {
              case: 'clarification',
              value: { question: 'What about the lamp?', options: ['How long is its warranty?'] },
            },
            done(AnswerOutcome.REPLIED),
          ]
        : [
            says('Two years.'),
            { case: 'suggestions', value: { questions: ['Who pays the postage?', 'How do I apply?'] } },
            done(AnswerOutcome.ANSWERED),
          ];
    await ask('the lamp');
    expect(await at('next-questions').getAttribute('aria-label')).toBe('Do you mean');
    await press('next-question');
    await at('next-questions').getByText('Ask next').waitFor();
    await expectAccessible();
    await screenshot('suggestions');
    await press('next-question');
    await vi.waitFor(() => expect(standIn.questions).toHaveLength(3), { timeout });
    expect(standIn.questions.map(({ question }) => question)).toEqual([
      'the lamp',
      'How long is its warranty?',
      'Who pays the postage?',
    ]);
  });

  test('all of it is in Chinese on a Chinese page', async () => {
    await page.context().close();
    await open('zh-CN');
    standIn.answer = () => [
      call(ToolCallStatus.NEEDS_APPROVAL, { title: '取消订单' }),
      says('需要您确认。'),
      handover(HandoverState.OFFERED),
      { case: 'suggestions', value: { questions: ['退货要几天到账？'] } },
      done(AnswerOutcome.REPLIED),
    ];
    await ask('取消订单 PPR-10482');
    const shown = (await at('turn').textContent()) ?? '';
    for (const text of ['等待您确认', '确认执行', '不执行', '可以转人工客服', '转人工', '继续提问']) {
      expect(shown).toContain(text);
    }
    await screenshot('chinese');
  });
});
