import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import axe from 'axe-core';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type AnswerEventInit, ending, retrieval, returnsAnswer, returnsText, says } from './testing/answers.ts';
import { findChromium } from './testing/browser.ts';
import { type ConsoleBrowser, startConsoleBrowser, timeout } from './testing/console-page.ts';
import { keys, type StandIn, startStandIn } from './testing/stand-in.ts';

const chromium = findChromium();
if (chromium === undefined) console.log('skipped: console browser test (no Chromium)');

describe.skipIf(chromium === undefined)('the console in a browser', () => {
  let browser: ConsoleBrowser;
  let standIn: StandIn;
  let firstPage: Page;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await startConsoleBrowser(chromium ?? '', (complaint) => complaints.push(complaint));
    firstPage = await browser.newPage();
  });
  afterAll(() => browser?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    complaints = [];
    standIn = await startStandIn(browser.dist); // on a port of its own: storage of a page does not reach the next test
    page = firstPage;
    await page.goto(standIn.url);
  });
  afterEach(async () => {
    if (page !== firstPage) await page.context().close();
    await standIn.close();
    // No error on the page, and no violation of the content policy.
    expect(complaints).toEqual([]);
  });

  const at = (testId: string, within: Page | Locator = page) => within.getByTestId(testId);
  const lastTurn = () => at('turn').last();
  const ask = async (question: string) => {
    await at('question').fill(question);
    await at('question').press('Enter');
  };
  /** Waits until the last answer is in a phase. */
  const phase = (name: string) => page.locator(`[data-testid=turn][data-phase=${name}]:last-child`).waitFor();
  const poll = <Value>(read: () => Value) => expect.poll(read, { timeout });
  const isFocused = (locator: Locator) => locator.evaluate((element) => element === document.activeElement);

  /** A point at which an answer waits until it is opened. */
  const gate = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { passed: promise, open: resolve };
  };

  const done = (outcome: AnswerOutcome): AnswerEventInit => ({ case: 'done', value: { outcome, model: 'extractive' } });

  test('the first load is at most 250 kB, compressed', async () => {
    await at('question').waitFor();
    await page.waitForLoadState('networkidle');
    const paths = await page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname),
    );
    const assets = new Set(paths.filter((path) => path.startsWith('/assets/')));
    const files = await Promise.all([...assets].map((path) => readFile(join(browser.dist, path))));
    const sizeBytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(assets.size).toBeGreaterThan(1);
    expect(sizeBytes, [...assets].join(' ')).toBeLessThanOrEqual(250_000);
  });

  test('a question shows its stages, then its text as it arrives, then its sources', async () => {
    const [searching, writing] = [gate(), gate()];
    standIn.answer = async function* () {
      yield* retrieval.slice(0, 5);
      await searching.passed;
      yield* retrieval.slice(5);
      yield says(returnsText[0] ?? '');
      await writing.passed;
      yield* returnsText.slice(1).map(says);
      yield* ending();
    };
    await ask('How long do I have?');
    await at('stage-vector').and(page.locator('[data-state=running]')).waitFor();
    expect(await at('stage-cache').getAttribute('data-state')).toBe('finished');
    expect(await at('stage-rewrite').getAttribute('data-state')).toBe('skipped');
    expect(await at('status').textContent()).toContain('Searching');

    searching.open();
    await at('answer').getByText('You can return most things').waitFor();
    expect(await at('answer').textContent()).not.toContain('RMA');
    expect(await at('stage-vector').textContent()).toContain('3.2 ms');
    expect(await lastTurn().getAttribute('aria-busy')).toBe('true');

    writing.open();
    await phase('done');
    expect(await at('answer').locator('table tr').count()).toBe(3);
    expect(await at('answer').locator('code').textContent()).toBe('RMA-26-004512');
    expect(await at('marker').allTextContents()).toEqual(['1', '3', '2']);
    expect(await at('source-2').textContent()).toContain('When the money arrives');
    expect(await at('status').textContent()).toBe('The answer is complete.');
  });

  test('stop ends the answer at the server too, and marks it as a part', async () => {
    const aborted = gate();
    standIn.answer = async function* (_, signal) {
      signal.addEventListener('abort', () => aborted.open());
      yield* retrieval;
      yield says('Only the beg');
      await aborted.passed;
    };
    await ask('How long do I have?');
    await at('answer').getByText('Only the beg').waitFor();
    await at('stop').click();
    await phase('stopped');
    await aborted.passed;
    expect(await at('stopped').textContent()).toContain('only a part');
    expect(await at('stage-generate').getAttribute('data-state')).toBe('stopped');
    expect(await isFocused(at('question'))).toBe(true);

    standIn.answer = () => returnsAnswer;
    await at('ask-again').click();
    await phase('done');
    expect(await at('turn').count()).toBe(1);
  });

  test('the next question continues the session, which the list, the address and a reload open again', async () => {
    standIn.answer = () => returnsAnswer;
    await ask('How long do I have?');
    await phase('done');
    await ask('And for lamps?');
    await poll(() => at('turn').count()).toBe(2);
    await phase('done');
    expect(standIn.questions.map(({ sessionId }) => sessionId)).toEqual(['', 's1']);
    expect(await lastTurn().textContent()).toContain('Searched for: How long do I have? And for lamps?');
    expect(await at('session-open').count()).toBe(1);

    await at('new-session').click();
    await at('welcome').waitFor();
    await at('session-open').first().click();
    await poll(() => at('turn').count()).toBe(2);
    // A reload reads the address, which is written after the turns are shown.
    await poll(() => page.url()).toContain('session=');
    await page.reload();
    await poll(() => at('turn').count()).toBe(2);
    // An answer of an earlier visit has no offsets of its own: they are fetched.
    await at('marker', lastTurn()).first().click();
    await at('highlight').first().getByText('The clock starts').waitFor();
    await at('document-close').click();

    await at('session').first().hover();
    await at('session-delete').first().click();
    await at('session-delete-confirm').click();
    await at('welcome').waitFor();
    expect(await at('session').count()).toBe(0);
  });

  test('the language switches immediately, is kept, and follows the browser at first', async () => {
    await at('language').click();
    expect(await at('send').textContent()).toContain('提问');
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN');
    await page.reload();
    await at('welcome').getByText('您想了解什么？').waitFor();
    page = await browser.newPage({ locale: 'zh-CN' });
    await page.goto(standIn.url);
    await at('welcome').getByText('您想了解什么？').waitFor();
  });

  test('the skip link leads past the sessions, each session is one stop, and the Delete key deletes it', async () => {
    standIn.answer = () => returnsAnswer;
    await ask('How long do I have?');
    await phase('done');
    await at('new-session').click();
    await ask('And for lamps?');
    await phase('done');
    await poll(() => at('session-open').count()).toBe(2);
    await page.reload();
    await poll(() => at('session-open').count()).toBe(2);
    await page.keyboard.press('Tab');
    expect(await isFocused(at('skip-link'))).toBe(true);
    for (const stop of [at('new-session'), at('session-open').first(), at('session-open').last()]) {
      await page.keyboard.press('Tab');
      expect(await isFocused(stop)).toBe(true);
    }
    await page.keyboard.press('Delete');
    await page.keyboard.press('Enter'); // the focus is on "Keep"
    await at('session-delete-confirm').waitFor({ state: 'detached' });
    expect(await isFocused(at('session-open').last())).toBe(true);
    await page.keyboard.press('Delete');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await poll(() => at('session-open').count()).toBe(1);
    await at('skip-link').focus();
    await page.keyboard.press('Enter');
    expect(await isFocused(at('question'))).toBe(true);
  });

  /** Faults that axe finds on the page, each with its first element. */
  const faults = async (): Promise<string[]> => {
    await page.evaluate(axe.source);
    return await page.evaluate(async () => {
      const check = globalThis as unknown as { axe: typeof axe };
      const { violations } = await check.axe.run({
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      });
      return violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 120)} ${nodes[0]?.failureSummary?.slice(0, 160)}`,
      );
    });
  };
  /** Pairs of stage names that touch or overlap. */
  const touchingStages = () =>
    page.locator('.stage-name').evaluateAll((names) => {
      const boxes = names.map((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        return { name: name.textContent, box: range.getBoundingClientRect() };
      });
      return boxes.slice(1).flatMap(({ name, box }, index) => {
        const before = boxes[index];
        const isSameRow = before !== undefined && Math.abs(before.box.top - box.top) < 4;
        return isSameRow && box.left - before.box.right < 4 ? [`${before.name}|${name}`] : [];
      });
    });

  test.each(
    [320, 375, 1280].flatMap((width) => (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme }))),
  )('has no accessibility fault at $width px in $colorScheme colours', async ({ width, colorScheme }) => {
    page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    await page.goto(standIn.url);
    await at('welcome').getByText('Refund approval limits').waitFor();
    expect(await faults()).toEqual([]);

    standIn.answer = () => returnsAnswer;
    await ask('How long do I have?');
    await phase('done');
    standIn.answer = () => [
      ...retrieval,
      says('Model P-409 is in stock since 2026-01-02 [1] [2].'),
      done(AnswerOutcome.REFUSED),
    ];
    await ask('And model P-409?');
    await poll(() => at('turn').count()).toBe(2);
    await phase('done');
    expect(await faults()).toEqual([]);
    expect(await touchingStages()).toEqual([]);
    const lines = await lastTurn()
      .locator('.prose .keep')
      .evaluateAll((codes) => codes.map((code) => [code.textContent, code.getClientRects().length]));
    expect(lines).toContainEqual(['P-409', 1]);
    for (const box of await at('marker').evaluateAll((markers) =>
      markers.map((marker) => marker.getBoundingClientRect()),
    )) {
      expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(24);
    }

    await at('marker').first().click();
    await at('highlight').first().waitFor();
    expect(await at('document-body').getAttribute('tabindex')).toBe('0');
    expect(await faults()).toEqual([]);
  });

  test('staff and customers see what their groups may read', async () => {
    standIn.answer = () => returnsAnswer;
    await at('welcome').getByText('Refund approval limits').waitFor();
    await ask('What may I refund?');
    await phase('done');
    await at('persona-customer').click();
    await at('welcome').getByText('2 documents').waitFor();
    expect(await at('welcome').getByText('Refund approval limits').count()).toBe(0);
    expect(await at('session').count()).toBe(0);
    expect(await at('question').inputValue()).toBe('What may I refund?');
    await at('question').press('Enter');
    await phase('done');
    expect(standIn.callers).toEqual([keys.staff, keys.customer]);
  });

  test('Enter that ends a word of an input method does not ask', async () => {
    standIn.answer = () => returnsAnswer;
    const field = at('question');
    await field.fill('退货');
    await field.evaluate((element) => {
      const init = { key: 'Enter', bubbles: true, cancelable: true };
      element.dispatchEvent(new KeyboardEvent('keydown', { ...init, isComposing: true }));
      element.dispatchEvent(new KeyboardEvent('keydown', { ...init, keyCode: 229 }));
    });
    await field.press('Shift+Enter');
    expect(await field.inputValue()).toBe('退货\n');
    expect(await at('turn').count()).toBe(0);
    await field.press('Enter');
    await phase('done');
    expect(standIn.questions.map(({ question }) => question)).toEqual(['退货']);
  });

  test('without development keys the page asks for one, tries it, and asks again when it is refused', async () => {
    standIn.development = false;
    standIn.answer = () => returnsAnswer;
    await page.reload();
    await at('key-dialog').waitFor();
    await at('key-input').fill('rm_wrong');
    await at('key-submit').click();
    await at('key-dialog').getByText('not accepted').waitFor();
    await at('key-input').fill(keys.customer);
    await at('key-submit').click();
    await ask('How long do I have?');
    await phase('done');

    standIn.revoked.add(keys.customer);
    await ask('And now?');
    await at('key-dialog').getByText('not accepted').waitFor();
    await at('key-input').fill(keys.staff);
    await at('key-submit').click();
    await at('key-dialog').waitFor({ state: 'detached' });
    expect(await at('question').inputValue()).toBe('And now?');
  });

  test('a phone shows the document over the answer, and the list on demand', async () => {
    standIn.answer = () => returnsAnswer;
    page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    await page.goto(standIn.url);
    expect(await at('rail').isVisible()).toBe(false);
    await ask('How long do I have?');
    await phase('done');
    await at('marker').first().click();
    await at('highlight').first().waitFor();
    expect((await at('document-panel').boundingBox())?.width).toBe(390);
    await at('document-close').click();
    await at('rail-toggle').click();
    await at('session-open').first().click();
    await poll(() => at('rail').isVisible()).toBe(false);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
