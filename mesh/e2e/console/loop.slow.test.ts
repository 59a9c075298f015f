import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults, createPages, type Pages } from './pages.ts';

// The loop that keeps answers right, in a real browser over the whole mesh: a gap in the documents is found, closed, and shown to be closed.

const chromium = findChromium();
if (chromium === undefined) {
  if ((process.env.RAGMESH_REQUIRE ?? '').includes('chromium'))
    throw new Error('RAGMESH_REQUIRE asks for chromium, and none is installed');
  process.stderr.write('skipped: 1 test of the inbox (no Chromium)\n');
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
let mesh: WholeMesh;
let browser: Browser;
let pages: Pages;

beforeAll(async () => {
  if (chromium === undefined) return;
  await promisify(execFile)('npm', ['run', '--silent', 'console:build'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
  mesh = await startWholeMesh();
  browser = await launchChromium(chromium);
  pages = createPages(browser, mesh.edgeUrl);
});
afterAll(async () => {
  await browser?.close();
  await mesh?.close();
});

test.runIf(chromium)('a refused question is found in the inbox, answered, asked again and resolved', async () => {
  const page = await pages.open('#');
  const ask = async (question: string) => {
    const before = await page.getByTestId('turn').count();
    await page.getByTestId('question').fill(question);
    await page.keyboard.press('Enter');
    const turn = page.getByTestId('turn').nth(before);
    await turn.and(page.locator('[data-phase="done"]')).waitFor();
    return turn.getByTestId('answer');
  };
  for (const question of ['Do you rent out telescopes?', 'do you rent telescopes out']) {
    expect(await (await ask(question)).getAttribute('data-refused')).toBe('true');
  }

  await page.getByTestId('section-inbox').click();
  await page.getByRole('row', { name: 'Do you rent out telescopes?' }).click();
  await page.getByTestId('questions').getByText('do you rent telescopes out').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('ask-again-all').click();
  await page.locator('[data-testid="asked-again"][data-answered="false"]').nth(1).waitFor();

  await page
    .getByTestId('draft-answer')
    .fill('Telescopes are not for rent; they can be tried in the shop for an hour.');
  await page.getByTestId('publish-answer').click();
  await page.getByTestId('answer-published').waitFor();
  await page.waitForTimeout(1500); // a change reaches every replica within a second
  await page.getByTestId('ask-again-all').click();
  await page.locator('[data-testid="asked-again"][data-answered="true"]').nth(1).waitFor();
  await page.getByTestId('topic-comment').fill('answered');
  await page.getByTestId('resolve').click();
  await page.getByTestId('reopen').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.getByTestId('section-inbox').click();
  await page.getByTestId('empty').waitFor();
  await page.getByTestId('section-ask').click();
  await page.getByTestId('turn').nth(1).waitFor(); // the conversation so far is read from the server
  expect(await (await ask('Do you rent out telescopes?')).textContent()).toContain('tried in the shop');
  expect(pages.problems).toEqual([]);
});
