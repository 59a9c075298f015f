import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** Longest wait for a state of a page, in milliseconds; long enough for a busy machine. */
export const timeout = 40_000;

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Opens pages of the console, and collects what goes wrong in them. */
export interface Pages {
  /** Errors of scripts, and what the content policy has blocked. */
  problems: string[];
  /** Opens an address like `#/documents` in a context of its own. */
  open(address: string, options?: BrowserContextOptions & { key?: string }): Promise<Page>;
  /** Opens an address as the user of a key; returns the names of its views, and all that rpcs have returned to the page. */
  seenBy(key: string, address: string): Promise<{ tabs: string[]; text: string }>;
}

/** Pages of the console at a URL. */
export function createPages(browser: Browser, url: string): Pages {
  const problems: string[] = [];
  const pages: Pages = {
    problems,
    async open(address, { key, ...options } = {}) {
      const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(timeout);
      const page = await context.newPage();
      if (key !== undefined) {
        // As a user whose server has no development keys.
        await page.route('**/console/session', (route) => route.fulfill({ status: 404 }));
        await page.addInitScript((value) => sessionStorage.setItem('ragmesh.key', value), key);
      }
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        const isReply = message.text().startsWith('Failed to load resource');
        if (message.type() === 'error' && !isReply) problems.push(message.text());
      });
      await page.goto(`${url}/${address}`);
      return page;
    },
    async seenBy(key, address) {
      const page = await pages.open('#', { key });
      const bodies: Promise<string>[] = [];
      page.on('response', (reply) => {
        if (reply.url().includes('ragmesh.')) bodies.push(reply.text().catch(() => ''));
      });
      await page.goto(`${url}/${address}`);
      await page.getByRole('tablist').or(page.getByTestId('empty')).first().waitFor();
      const tabs = await page.getByRole('tab').allTextContents();
      await page.waitForLoadState('networkidle');
      const text = (await Promise.all(bodies)).join('\n');
      await page.context().close();
      return { tabs, text };
    },
  };
  return pages;
}

/** Returns the faults that axe finds on a page, each with its first element. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const check = globalThis as unknown as { axe: typeof import('axe-core') };
    const { violations } = await check.axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary?.slice(0, 200)}`,
    );
  });
}
