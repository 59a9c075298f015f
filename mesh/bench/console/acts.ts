import type { Browser, Page } from 'playwright-core';
import { listCount, operatorKey } from './long-lists.ts';

/** A kind of interaction, and how long the browser took after each. */
export interface Timed {
  name: string;
  durationsMs: number[];
}

/** What a user does; `at` counts the repetitions. Keys and clicks in it are measured. */
interface Act {
  name: string;
  count: number;
  act(page: Page, at: number): Promise<unknown>;
  /** What is done before each, and not measured. */
  before?(page: Page): Promise<unknown>;
}

/** Time after an interaction for what it starts: replies of the server, and their rows, in milliseconds. */
const settleMs = 500;
const readMs = 120_000;

const press = (key: string) => (page: Page) => page.keyboard.press(key);

/** What is done in any list. */
function listActs(testId: string, search: string): Act[] {
  const focusRow = (page: Page) => page.getByTestId(testId).getByRole('row').nth(3).focus();
  const focusSearch = (page: Page) => page.getByTestId(search).focus();
  return [
    { name: 'arrow keys', count: 10, before: focusRow, act: press('ArrowDown') },
    { name: 'page up and down', count: 10, act: (page, at) => press(at % 2 === 0 ? 'PageDown' : 'PageUp')(page) },
    { name: 'first and last row', count: 10, act: (page, at) => press(at % 2 === 0 ? 'End' : 'Home')(page) },
    {
      name: 'a letter of a search',
      count: 8,
      before: focusSearch,
      act: (page, at) => press('return99'[at] ?? 'x')(page),
    },
    { name: 'a search is deleted', count: 8, before: focusSearch, act: press('Backspace') },
  ];
}

/** Going to a row's page and back. */
function openActs(testId: string): Act[] {
  const rowOf = (page: Page, at: number) => page.getByTestId(testId).getByRole('row').nth(at);
  const list = async (page: Page) => {
    await page.getByTestId(`section-${testId}`).click();
    await rowOf(page, 3).waitFor();
    await page.waitForTimeout(settleMs);
  };
  const row = async (page: Page) => {
    if ((await rowOf(page, 3).count()) > 0) await rowOf(page, 3).click();
    await page.waitForTimeout(settleMs);
  };
  return [
    { name: 'a row is opened', count: 5, before: list, act: (page, at) => rowOf(page, 3 + at).click() },
    { name: 'back to the list', count: 5, before: row, act: (page) => page.getByTestId(`section-${testId}`).click() },
  ];
}

const documentActs: Act[] = [
  ...listActs('documents', 'document-search'),
  {
    name: 'another corpus is chosen',
    count: 4,
    act: (page, at) => choose(page, 'corpus', at % 2 === 0 ? 'shop' : 'large'),
  },
  ...openActs('documents'),
];

const conversationActs: Act[] = [
  ...listActs('conversations', 'conversation-search'),
  {
    name: 'a filter is chosen',
    count: 4,
    act: (page, at) => choose(page, 'conversation-rating', at % 2 === 0 ? 'down' : 'all'),
  },
  {
    name: 'the queue and back',
    count: 4,
    act: (page, at) => page.getByTestId(at % 2 === 0 ? 'tab-queue' : 'tab-all').click(),
  },
  ...openActs('conversations'),
];

async function choose(page: Page, testId: string, option: string): Promise<void> {
  await page.getByTestId(testId).getByRole('button').click();
  await page.locator(`[data-option="${option}"]`).click();
}

/** Reads both lists as a whole, and does everything in them. */
export async function measureActs(browser: Browser, edgeUrl: string): Promise<Timed[]> {
  const timed: Timed[] = [];
  for (const [what, address, testId, acts] of [
    ['documents', '#/documents/large', 'documents', documentActs],
    ['sessions', '#/conversations', 'conversations', conversationActs],
  ] as const) {
    const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.route('**/console/session', (route) => route.fulfill({ status: 404 }));
    await page.addInitScript((key) => sessionStorage.setItem('ragmesh.key', key), operatorKey);
    await page.addInitScript(observe);
    await page.goto(`${edgeUrl}/${address}`);
    await readAll(page, testId);
    for (const { name, count, act, before } of acts) {
      const durationsMs: number[] = [];
      for (let at = 0; at < count; at++) {
        await before?.(page);
        await page.evaluate(takeLongest);
        await act(page, at);
        await page.waitForTimeout(settleMs);
        durationsMs.push(await page.evaluate(takeLongest));
      }
      timed.push({ name: `${what}: ${name}`, durationsMs });
    }
    await context.close();
  }
  return timed;
}

/** Scrolls until every row has been read. */
async function readAll(page: Page, testId: string): Promise<void> {
  const table = page.getByTestId(testId);
  await table.getByRole('row').nth(1).waitFor();
  const deadline = Date.now() + readMs;
  while (Number(await table.getAttribute('aria-rowcount')) <= listCount) {
    if (Date.now() > deadline) throw new Error(`${await table.getAttribute('aria-rowcount')} rows were read`);
    await table.evaluate((element) => {
      element.scrollTop = element.scrollHeight;
    });
    await page.waitForTimeout(50);
  }
}

interface Observed {
  longestMs: number;
}

/** Collects the longest interaction, from the input to the next picture, in steps of 8 ms as the browser has them. Runs in the page. */
function observe(): void {
  const observed = globalThis as unknown as Observed;
  observed.longestMs = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) observed.longestMs = Math.max(observed.longestMs, duration);
  }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
}

/** Returns the longest interaction since the last call. Runs in the page. */
function takeLongest(): number {
  const observed = globalThis as unknown as Observed;
  const { longestMs } = observed;
  observed.longestMs = 0;
  return longestMs;
}
