import { create, type DescMessage, fromJsonString, type MessageShape, toJson } from '@bufbuild/protobuf';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ListConversationsRequestSchema,
  ListConversationsResponseSchema,
} from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { GetCallerResponseSchema } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { ListDocumentsRequestSchema, ListDocumentsResponseSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { ListCorporaResponseSchema } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { findChromium } from './testing/browser.ts';
import { type ConsoleBrowser, startConsoleBrowser } from './testing/console-page.ts';
import { type StandIn, startStandIn } from './testing/stand-in.ts';

// Ten thousand rows: what an interaction costs does not grow with them. The work is counted, since a busy machine changes every time.

const chromium = findChromium();
if (chromium === undefined) console.log('skipped: long lists in a browser (no Chromium)');

const total = 10_000;
/** Rows in the page: those in view, and some above and below. */
const maxRows = 60;
/** Elements that one key adds to the page. */
const maxAdded = 1500;

// Hundreds of pages of rows are read, which takes minutes on a busy machine.
describe.skipIf(chromium === undefined)('a list of ten thousand', { timeout: 300_000 }, () => {
  let browser: ConsoleBrowser;
  let standIn: StandIn;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await startConsoleBrowser(chromium ?? '', (complaint) => complaints.push(complaint));
    standIn = await startStandIn(browser.dist);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await standIn?.close();
  });
  afterEach(() => expect(complaints.splice(0)).toEqual([]));

  const names = (size: number, token: string) => {
    const first = Number(token || 0);
    const ids = Array.from({ length: Math.min(size, total - first) }, (_, at) => first + at);
    return { ids, nextPageToken: first + size < total ? String(first + size) : '' };
  };

  test('documents', async () => {
    const page = await openList();
    await answer(page, 'ListDocuments', ListDocumentsRequestSchema, ListDocumentsResponseSchema, (request) => {
      const { ids, nextPageToken } = names(request.pageSize, request.pageToken);
      const documents = ids.map((at) => ({ corpus: 'help', documentId: `d${at}`, title: `Document ${at}` }));
      return create(ListDocumentsResponseSchema, { documents, nextPageToken });
    });
    await measure(page, '#/documents/help', 'documents');
  });

  test('sessions', async () => {
    const page = await openList();
    await answer(
      page,
      'ListConversations',
      ListConversationsRequestSchema,
      ListConversationsResponseSchema,
      (request) => {
        const { ids, nextPageToken } = names(request.pageSize, request.pageToken);
        const conversations = ids.map((at) => ({
          session: { sessionId: `s${at}`, title: `Session ${at}` },
          user: 'u',
        }));
        return create(ListConversationsResponseSchema, { conversations, nextPageToken });
      },
    );
    await measure(page, '#/conversations', 'conversations');
  });

  async function openList(): Promise<Page> {
    const page = await browser.newPage();
    const caller = { tenant: 'demo', user: 'dev', roles: [Role.READER, Role.EDITOR, Role.OPERATOR] };
    const whole = create(GetCallerResponseSchema, { caller });
    await page.route('**/GetCaller', (route) => route.fulfill({ json: toJson(GetCallerResponseSchema, whole) }));
    const corpora = create(ListCorporaResponseSchema, {
      corpora: [{ name: 'help', documentCount: BigInt(total), liveVersion: 1n }],
    });
    await page.route('**/ListCorpora*', (route) => route.fulfill({ json: toJson(ListCorporaResponseSchema, corpora) }));
    return page;
  }

  /** Reads all rows, then counts what keys add to the page, and reports the longest time that the browser has measured. */
  async function measure(page: Page, address: string, testId: string): Promise<void> {
    await page.goto(`${standIn.url}${address}`);
    const table = page.getByTestId(testId);
    const rows = table.getByRole('row');
    await rows.nth(1).waitFor();
    const scroll = () =>
      table.evaluate((element) => {
        element.scrollTop = element.scrollHeight;
      });
    const last = rows.filter({ hasText: ` ${total - 1}` });
    const reached = () => last.count();
    for (let step = 0; step < 200 && (await reached()) === 0; step++) {
      await scroll();
      await page.waitForTimeout(50);
    }
    expect(await reached()).toBe(1);
    expect(await rows.count()).toBeLessThanOrEqual(maxRows);

    await page.evaluate(observe);
    await rows.last().focus();
    const added: number[] = [];
    for (const key of ['ArrowUp', 'ArrowUp', 'PageUp', 'PageUp', 'Home', 'ArrowDown', 'PageDown', 'End']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(100);
      added.push(await page.evaluate(takeAdded));
      expect(await rows.count()).toBeLessThanOrEqual(maxRows);
    }
    expect(Math.max(...added)).toBeLessThanOrEqual(maxAdded);
    const longestMs = await page.evaluate(() => (globalThis as unknown as Observed).longestMs);
    process.stdout.write(`${total} ${testId}: ${Math.max(...added)} elements, longest interaction ${longestMs} ms\n`);
    await page.context().close();
  }
});

/** What the page counts. */
interface Observed {
  added: number;
  longestMs: number;
}

/** Counts elements that are added, and the durations of interactions as the browser measures them. Runs in the page. */
function observe(): void {
  const counts = globalThis as unknown as Observed;
  counts.added = 0;
  counts.longestMs = 0;
  new MutationObserver((mutations) => {
    for (const { addedNodes } of mutations) {
      for (const node of addedNodes) {
        if (node instanceof Element) counts.added += 1 + node.querySelectorAll('*').length;
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) counts.longestMs = Math.max(counts.longestMs, duration);
  }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit);
}

/** Returns how many elements were added since the last call. Runs in the page. */
function takeAdded(): number {
  const counts = globalThis as unknown as Observed;
  const { added } = counts;
  counts.added = 0;
  return added;
}

/** Answers an rpc of the page. */
async function answer<Request extends DescMessage, Response extends DescMessage>(
  page: Page,
  method: string,
  requestSchema: Request,
  responseSchema: Response,
  respond: (request: MessageShape<Request>) => MessageShape<Response>,
): Promise<void> {
  await page.route(`**/${method}*`, (route) => {
    const request = fromJsonString(requestSchema, route.request().postData() ?? '{}');
    return route.fulfill({ json: toJson(responseSchema, respond(request)) });
  });
}
