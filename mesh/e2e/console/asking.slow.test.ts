import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The page as a person sees it: a real browser, the real edge, the sample knowledge base.

const chromium = findChromium();
if (chromium === undefined) {
  if ((process.env.RAGMESH_REQUIRE ?? '').includes('chromium'))
    throw new Error('RAGMESH_REQUIRE asks for chromium, and none is installed');
  process.stderr.write('skipped: 3 tests of the page over the whole mesh (no Chromium)\n');
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
let mesh: WholeMesh;
let browser: Browser;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  if (chromium === undefined) return;
  await promisify(execFile)('npm', ['run', '--silent', 'console:build'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
  mesh = await startWholeMesh();
  browser = await launchChromium(chromium);
  page = await browser.newPage({ locale: 'en-GB' });
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(mesh.edgeUrl);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await mesh?.close();
});

const ask = async (question: string) => {
  const before = await page.getByTestId('turn').count();
  await page.getByTestId('question').fill(question);
  await page.keyboard.press('Enter');
  const turn = page.getByTestId('turn').nth(before);
  await turn.and(page.locator('[data-phase="done"]')).waitFor();
  return turn;
};

test.runIf(chromium)('a question is answered, and its citation opens the passage in its document', async () => {
  const turn = await ask('How long do I have to send back unwashed bedding?');
  expect(await turn.getByTestId('answer').textContent()).toContain('30 days');
  await turn.getByTestId('marker').first().click();
  await page.getByTestId('highlight').first().waitFor();
  expect(await page.getByTestId('document-text').textContent()).toContain('30 days');
  const followUp = await ask('支付报错 P-409 是什么意思');
  expect(await followUp.getByTestId('answer').textContent()).toContain('重复提交');
  expect(await page.getByTestId('turn').count()).toBe(2);
});

test.runIf(chromium)('a customer does not see what only staff may know', async () => {
  await page.getByTestId('persona-customer').click();
  const turn = await ask('What is the goodwill refund limit of an L1 agent?');
  expect(await turn.getByTestId('answer').textContent()).not.toContain('L1');
});

test.runIf(chromium)('the page follows its own content policy: nothing failed and nothing was blocked', () => {
  expect(problems).toEqual([]);
});
