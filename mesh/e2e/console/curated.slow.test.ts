import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { CuratedAnswerService } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';
import { accessibilityFaults, createPages, type Pages, timeout } from './pages.ts';

// Curated answers in a real browser, over the whole mesh.

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const chromium = findChromium();
if (chromium === undefined) {
  if ((process.env.RAGMESH_REQUIRE ?? '').includes('chromium'))
    throw new Error('RAGMESH_REQUIRE asks for chromium, and none is installed');
  process.stderr.write('skipped: 2 tests of curated answers (no Chromium)\n');
}

const keys = {
  operator: [Role.READER, Role.OPERATOR],
  administrator: [Role.READER, Role.ADMINISTRATOR],
  reader: [Role.READER],
};
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
  mesh = await startWholeMesh({
    config: {
      edge: {
        apiKeys: Object.entries(keys).map(([id, roles]) => ({
          id,
          sha256: hash('sha256', id),
          tenant: 'demo',
          groups: ['staff'],
          roles,
        })),
      },
    },
  });
  browser = await launchChromium(chromium);
  pages = createPages(browser, mesh.edgeUrl);
});
afterAll(async () => {
  await browser?.close();
  await mesh?.close();
});
afterEach(() => {
  expect(pages?.problems ?? []).toEqual([]);
});

const transport = () => createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' });
const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const question = 'Do you sell gift wrap for surfboards?';
const textOf = async () => (await askWhole(createClient(ChatService, transport()), { question }, as('reader'))).text;

test.runIf(chromium)('a curated answer is written, changed and withdrawn, and its versions stay', async () => {
  const page = await pages.open('#/administration/curated', { key: 'operator' });
  await page.getByText('No curated answers yet').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('new-curated').click();
  await page.getByTestId('wordings').fill(question);
  await page.getByTestId('draft-answer').fill('We wrap surfboards for 9 euros.');
  await page.getByTestId('publish-answer').click();
  await page.getByTestId('curated-versions').getByText('We wrap surfboards for 9 euros.').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await expect.poll(textOf, { timeout, interval: 200 }).toContain('9 euros');

  await page.getByTestId('draft-answer').fill('We wrap surfboards free of charge.');
  await page.getByTestId('publish-answer').click();
  await page.getByTestId('curated-versions').getByText('free of charge').waitFor();
  await expect.poll(textOf, { timeout, interval: 200 }).toContain('free of charge');

  await page.goto(`${mesh.edgeUrl}/#/administration/curated`);
  await page.getByRole('row', { name: question }).click();
  await page.getByTestId('withdraw-curated').click();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByTestId('withdraw-curated-confirm').click();
  await page.getByTestId('curated-versions').getByText('Withdrawn').waitFor();
  expect(await page.getByTestId('curated-versions').getByRole('row').count()).toBe(4);
  await expect.poll(textOf, { timeout, interval: 200 }).not.toContain('free of charge');
});

test.runIf(chromium)('only operators see them', async () => {
  const { answer } = await createClient(CuratedAnswerService, transport()).putCuratedAnswer(
    { corpus: 'help', questions: ['What is the pelican code?'], answer: 'FEATHER9' },
    as('operator'),
  );
  expect((await pages.seenBy('operator', '#/administration/curated')).text).toContain('FEATHER9');
  for (const key of ['administrator', 'reader']) {
    for (const address of ['#/administration/curated', `#/administration/curated/answer/${answer?.id}`]) {
      const seen = await pages.seenBy(key, address);
      expect(seen.tabs, key).not.toContain('Curated answers');
      expect(seen.text, key).not.toContain('FEATHER9');
    }
  }
});
