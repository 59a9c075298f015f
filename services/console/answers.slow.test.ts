import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FeedbackReason, StageStatus } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import {
  AnswerOutcome,
  CacheLayer,
  ClaimFault,
  SentenceAction,
  SentenceSupport,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { PageRegionSchema, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { type AnswerEventInit, ending, ends, refusal, retrieval, returnsAnswer, says } from './testing/answers.ts';
import { findChromium } from './testing/browser.ts';
import { type ConsoleBrowser, startConsoleBrowser, timeout } from './testing/console-page.ts';
import { passageOf } from './testing/documents.ts';
import { type StandIn, startStandIn } from './testing/stand-in.ts';

const chromium = findChromium();
if (chromium === undefined) console.log('skipped: console answer test (no Chromium)');

describe.skipIf(chromium === undefined)('an answer in a browser', () => {
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
  const _lastTurn = () => at('turn').last();
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

  test('a citation opens its document at the passage, and Escape leads back to the marker', async () => {
    standIn.answer = () => returnsAnswer;
    await ask('How long do I have?');
    await phase('done');
    const marker = at('marker').last();
    await marker.focus();
    await page.keyboard.press('Enter');
    const mark = at('highlight').first();
    await mark.waitFor();
    expect(await at('highlight').allTextContents()).toEqual([
      expect.stringMatching(/^Our warehouse inspects.*credit cards 5–10\.$/),
    ]);
    await poll(() =>
      mark.evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        return top < window.innerHeight && bottom > 0;
      }),
    ).toBe(true);
    expect(await at('document-title').textContent()).toBe('Returns and refunds');
    expect(await isFocused(at('document-title'))).toBe(true);
    expect(await at('document-path').textContent()).toBe('When the money arrives');
    expect(await at('document-scores').textContent()).toContain('0.744');

    await at('document-previous').click();
    await at('highlight').first().getByText('The clock starts').waitFor();
    await page.keyboard.press('Escape');
    await at('document-panel').waitFor({ state: 'detached' });
    expect(await isFocused(marker)).toBe(true);
  });

  test('a source with pages is shown as it was printed, with a frame around the passage', async () => {
    const white = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC';
    standIn.pageImage = Buffer.from(white, 'base64');
    const regions = [
      { page: 2, left: 72, top: 90, right: 300, bottom: 120 },
      { page: 3, left: 72, top: 40, right: 300, bottom: 60 },
    ].map((region) => create(PageRegionSchema, region));
    const passage = { ...passageOf('returns', 'The clock starts', '| as above |', ['How long you have']), regions };
    standIn.answer = function* () {
      yield { case: 'sources', value: { passages: [passage] } };
      yield says('Within 15 days [1].');
      yield* ending([1]);
    };
    await ask('How long can I return a lamp?');
    await phase('done');
    await at('marker').first().click();
    const frame = at('page-frame');
    await poll(() => frame.count()).toBe(1);
    expect(await at('page-image').getAttribute('data-page')).toBe('2');
    expect(await frame.getAttribute('width')).toBe('228');
    await at('page-next').click();
    await poll(() => frame.getAttribute('y')).toBe('40');
    expect(await at('page-next').isDisabled()).toBe(true);
    await at('highlight').first().waitFor();
  });

  test('an answer that fails can be asked for again', async () => {
    standIn.answer = async function* () {
      yield* retrieval;
      throw unavailable('llm-gateway', 'llm-gateway cannot be reached');
    };
    await ask('How long do I have?');
    await phase('failed');
    expect(await at('failure').textContent()).toContain('llm-gateway cannot be reached');
    standIn.answer = () => returnsAnswer;
    await at('retry').click();
    await phase('done');
    expect(await at('turn').count()).toBe(1);
  });

  test('a rate limit says when to try again', async () => {
    // biome-ignore lint/correctness/useYield: it fails before its first event
    standIn.answer = async function* () {
      throw rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, 'too fast', { retryAfterMs: 60_000 });
    };
    await ask('How long do I have?');
    await at('retry').waitFor();
    expect(await at('retry').textContent()).toMatch(/^Try again in \d+ s$/);
    expect(await at('retry').isDisabled()).toBe(true);
  });

  test('a refusal shows the passages that were read', async () => {
    standIn.answer = () => [...retrieval, says('I found nothing.'), done(AnswerOutcome.REFUSED)];
    await ask('Opening hours on the moon?');
    await phase('done');
    await at('source-1').waitFor();
    await at('more-sources').click();
    await at('source-1').waitFor({ state: 'detached' });
  });

  test('a plain HTTP 429 of a proxy is shown as a rate limit', async () => {
    standIn.isLimited = true;
    await ask('How long do I have?');
    await phase('failed');
    expect(await at('failure').textContent()).toMatch(/^Too many questions.*Try again in \d+ s$/);
    expect(await at('failure').textContent()).not.toContain('HTTP');
  });

  test('a refusal, a degradation and a cached answer are shown as such', async () => {
    standIn.answer = () => refusal;
    await ask('Opening hours on the moon?');
    await phase('done');
    expect(await at('answer').getAttribute('data-refused')).toBe('true');
    // The server says it; the page adds what to do, and says nothing twice.
    expect(await at('answer').textContent()).toBe(
      'I found nothing in the documents about the opening hours on the moon.' +
        'Try other words, search all documents, or ask a colleague.',
    );

    standIn.answer = () => [
      ...retrieval,
      ends(Stage.RERANK, 120_000, 'late', StageStatus.DEGRADED),
      says('Within 15 days [1].'),
      {
        case: 'done',
        value: {
          outcome: AnswerOutcome.ANSWERED,
          cacheLayer: CacheLayer.MEMORY,
          degradations: [{ stage: Stage.RERANK, reason: 'late by 20 ms', effect: 'kept the fused order' }],
          unsupportedClaims: [{ start: 0, end: 19, fault: ClaimFault.FACT, markers: [1] }],
        },
      },
    ];
    await ask('How long do I have?');
    await at('cached').waitFor();
    expect(await at('degradation').textContent()).toContain(
      'Answered without rerankinglate by 20 ms → kept the fused order',
    );
    expect(await at('unsupported').textContent()).toBe('Not supported by the cited documentsWithin 15 days [1].');
    expect(await at('stage-rerank').getAttribute('data-state')).toBe('degraded');
    await at('cached').click();
    await poll(() => standIn.questions.at(-1)?.bypassCache).toBe(true);
  });

  test('withdrawn text leaves the page', async () => {
    const second = gate();
    standIn.answer = async function* () {
      yield* retrieval;
      yield says('A first attempt.');
      await second.passed;
      yield { case: 'reset', value: { reason: 'another model took over' } };
      yield says('The second one.');
      yield* ending([1]);
    };
    await ask('How long do I have?');
    await at('answer').getByText('A first attempt.').waitFor();
    second.open();
    await phase('done');
    expect((await at('answer').textContent())?.trim()).toBe('The second one.');
  });

  test('a document that may no longer be seen is not shown, only the passage that was read', async () => {
    const passage = passageOf('refund-limits', 'Limits are per order', 'disciplinary matter.', [
      'Who may approve what',
    ]);
    standIn.answer = () => [
      { case: 'sources', value: { passages: [passage] } },
      says('Per order [1].'),
      { case: 'done', value: { outcome: AnswerOutcome.ANSWERED } },
    ];
    await at('persona-customer').click();
    await ask('What are the limits?');
    await phase('done');
    await at('marker').click();
    await at('document-gone').waitFor();
    expect(await at('passage-as-read').textContent()).toContain('Limits are per order');
    expect(await at('document-text').count()).toBe(0);
  });

  test('a doubtful citation says why, and replaced sentences are counted', async () => {
    const support = SentenceSupport.NUMBER_NOT_IN_SOURCE;
    const doubtful = { start: 0, end: 1000, support, action: SentenceAction.ANNOTATE, markers: [1] };
    const withheld = { start: 1000, end: 1000, support, action: SentenceAction.WITHHOLD, markers: [1] };
    standIn.answer = () => [
      ...returnsAnswer.slice(0, -1),
      { case: 'verdicts', value: { sentences: [doubtful, withheld] } },
      ...returnsAnswer.slice(-1),
    ];
    await ask('How long do I have?');
    await phase('done');
    expect(await at('marker').first().getAttribute('aria-label')).toContain('a number is not in the source');
    expect(await at('replaced').textContent()).toContain('One sentence was not supported');
  });

  test('feedback is sent with its comment and reasons', async () => {
    standIn.answer = () => returnsAnswer;
    await ask('How long do I have?');
    await phase('done');
    await at('feedback-down').click();
    await at('reason-incomplete').check();
    await page.getByPlaceholder('What was wrong').fill('Curtains are missing');
    await page.keyboard.press('Enter');
    await page.getByText('Thank you.').waitFor();
    expect(
      standIn.feedback.map(({ answerId, rating, comment, reasons }) => [answerId, rating, comment, reasons]),
    ).toEqual([
      ['a1', 2, '', []],
      ['a1', 2, 'Curtains are missing', [FeedbackReason.INCOMPLETE]],
    ]);
  });
});
