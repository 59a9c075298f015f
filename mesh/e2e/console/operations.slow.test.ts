import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import type { Locator, Page } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind, OverlayService } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import { writePdf } from '../../../services/indexer/testing/pdf/pdf-writer.ts';
import { linesAt } from '../../../services/indexer/testing/pdf/read-made-pdf.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';
import { ingestLines } from './ingest.ts';
import { accessibilityFaults, timeout } from './pages.ts';
import { as, keysOf, useSite } from './site.ts';

// What knowledge managers and operators do, in a real browser, over the whole mesh.

const roles = {
  manager: [Role.READER, Role.EDITOR, Role.OPERATOR],
  editor: [Role.READER, Role.EDITOR],
  reader: [Role.READER],
};
const folder = mkdtempSync(join(tmpdir(), 'ragmesh-source-'));
const poll = { timeout, interval: 50 };

// Before the site's own, so that it runs after the mesh has ended.
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const site = useSite('the sections of the console', 11, () =>
  startWholeMesh({
    config: {
      edge: { apiKeys: keysOf(roles, ['staff', 'merchant']) },
      indexer: { sources: { allowedFolders: [folder] }, keepOriginals: ['manuals'] },
    },
  }),
);

const indexer = () => createClient(IndexerService, site.transport());
const overlayService = () => createClient(OverlayService, site.transport());
const asManager = as('manager');
const endOf = (page: Page) => page.locator(`[data-testid="job-progress"][data-state="${JobState.SUCCEEDED}"]`);
const chooseFiles = async (page: Page, files: { name: string; mimeType: string; buffer: Buffer }[]) => {
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('choose-files').click();
  await (await chooser).setFiles(files);
};
const file = (name: string, text: string | Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(text as string),
});

/** Uploads paragraphs, and returns the job after its end. */
function ingest(corpus: string, count: number, deleteMissing = false) {
  const documents = Array.from({ length: count }, (_, at) => ({ id: `d${at}`, text: `Paragraph ${at}.` }));
  return ingestLines(indexer(), corpus, documents, asManager, deleteMissing);
}

test.runIf(site.chromium)(
  'files are uploaded with the meaning of their columns, and found by their titles',
  async () => {
    const page = await site.pages.open('#/documents/shop/upload', { key: 'manager' });
    await page.getByTestId('upload-corpus').fill('faq');
    const gbk = Buffer.concat([
      Buffer.from('frage,reply\n'),
      Buffer.from([0xcd, 0xcb, 0xbb, 0xf5]), // 退货
      Buffer.from(' returns?,15 days\n'),
    ]);
    await chooseFiles(page, [file('faq.csv', gbk), file('notes/gift.md', '# Gift cards\n\nValid for 3 years.')]);
    await page.getByTestId('mapping').click();
    await page.getByTestId('table-preview').getByText('退货 returns?').waitFor();
    for (const [column, meaning] of [
      ['frage', 'Question'],
      ['reply', 'Text or answer'],
    ]) {
      await page.getByRole('button', { name: `By its name Meaning of the column ${column}` }).click();
      await page.getByRole('option', { name: meaning as string, exact: true }).click();
    }
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('upload-start').click();
    await endOf(page).waitFor();

    await page.goto(`${site.mesh.edgeUrl}/#/documents/faq`);
    await page.getByTestId('documents').getByText('Gift cards').waitFor();
    await page.getByTestId('documents').getByText('退货 returns?').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('document-search').fill('gift');
    await expect.poll(() => page.getByTestId('documents').getByRole('row').count(), poll).toBe(2);
    await page.getByRole('row', { name: 'Gift cards' }).click();
    await page.getByTestId('chunk').getByText('Valid for 3 years').waitFor();
  },
);

test.runIf(site.chromium)(
  'documents are filtered by owner, group, language and review, and operators see their health',
  async () => {
    const documents = [
      {
        id: 'a',
        title: 'Opening hours',
        text: 'The shop is open from nine to six.',
        owner: 'li',
        review_at: '2020-01-01',
      },
      { id: 'b', title: 'Refund limits', text: 'Refunds above 500 need the approval of a lead.', groups: ['staff'] },
      { id: 'c', title: '节假日安排', text: '春节期间门店照常营业，客服顺延一天回复。', owner: 'chen' },
    ];
    await ingestLines(indexer(), 'filtered', documents, asManager);
    const page = await site.pages.open('#/documents/filtered', { key: 'manager' });
    const rows = () => page.getByTestId('documents').getByRole('row').count();
    await expect.poll(rows, poll).toBe(4);
    await page.getByTestId('documents').getByText('Review due').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    const choose = async (testId: string, option: string) => {
      await page.getByTestId(testId).getByRole('button').click();
      await page.getByRole('option', { name: option, exact: true }).click();
    };
    await page.getByTestId('filter-owner').fill('Chen');
    await expect.poll(rows, poll).toBe(2);
    await page.getByTestId('documents').getByText('节假日安排').waitFor();
    await page.getByTestId('filter-owner').fill('');
    await choose('filter-review', 'Review is due');
    await page.getByTestId('documents').getByText('Opening hours').waitFor();
    await expect.poll(rows, poll).toBe(2);
    await choose('filter-language', 'Chinese');
    await page.getByText('Nothing found').waitFor();
    await choose('filter-review', 'Any day of review');
    await expect.poll(rows, poll).toBe(2);
    await choose('filter-language', 'All languages');
    await page.getByTestId('filter-group').fill('staff');
    await page.getByTestId('documents').getByText('Refund limits').waitFor();
    await expect.poll(rows, poll).toBe(2);

    await page.goto(`${site.mesh.edgeUrl}/#/documents/filtered/document/a`);
    await page.getByText('Review due').waitFor();

    // Who may not read findings is not shown their column, and does not ask for them.
    const calls: string[] = [];
    const other = await site.pages.open('#/documents', { key: 'editor' });
    other.on('request', (request) => calls.push(request.url()));
    await other.goto(`${site.mesh.edgeUrl}/#/documents/filtered`);
    await other.getByTestId('documents').getByText('Opening hours').waitFor();
    expect(await other.getByTestId('documents').getByText('Health').count()).toBe(0);
    expect(calls.filter((url) => url.includes('KnowledgeHealth'))).toEqual([]);
  },
);

test.runIf(site.chromium)('the page of a chunk of a PDF is shown with a frame around the chunk', async () => {
  const page = await site.pages.open('#/documents/manuals/upload', { key: 'manager' });
  const pdf = writePdf([{ texts: linesAt(72, 100, ['Press the red button for ten seconds.']) }]);
  await chooseFiles(page, [file('manual.pdf', pdf)]);
  await page.getByTestId('upload-start').click();
  await endOf(page).waitFor();
  await page.goto(`${site.mesh.edgeUrl}/#/documents/manuals/document/manual.pdf`);
  await page.getByTestId('chunk-page').locator('summary').click();
  await page.getByTestId('page-image').locator('image').waitFor();
  const frame = await page.getByTestId('page-frame').first().boundingBox();
  const image = await page.getByTestId('page-image').locator('svg').boundingBox();
  // The words are 72 points from the left and 100 from the top of a page of 595 by 842.
  expect(((frame?.x ?? 0) - (image?.x ?? 0)) / (image?.width ?? 1)).toBeCloseTo(72 / 595, 1);
  expect(((frame?.y ?? 0) - (image?.y ?? 0)) / (image?.height ?? 1)).toBeCloseTo(95 / 842, 1);
  expect(await accessibilityFaults(page)).toEqual([]);
});

test.runIf(site.chromium)(
  'a chunk is edited, its revisions are shown, and an edit without its text is shown beside what replaced it, and moved',
  async () => {
    await ingest('edits', 3);
    const page = await site.pages.open('#/documents/edits/document/d1', { key: 'editor' });
    const chunk = page.getByTestId('chunk').filter({ hasText: 'Paragraph 1.' });
    await chunk.getByTestId('edit').click();
    await page.getByTestId('chunk-text').fill('Paragraph one, as we say it.');
    await page.getByTestId('save').click();
    await endOf(page).waitFor();
    await page.getByText('Edited').waitFor();
    const document = await indexer().getDocument({ corpus: 'edits', documentId: 'd1' }, asManager);
    expect(document.text).toContain('Paragraph one, as we say it.');
    await page.getByTestId('revisions').click();
    await page.getByTestId('revision-list').getByText('as we say it').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    const page2 = await site.pages.open('#/documents/edits/upload', { key: 'editor' });
    await chooseFiles(page2, [file('all.jsonl', '{"id":"d1","text":"Paragraph 1. Rewritten."}')]);
    await page2.getByTestId('upload-start').click();
    await endOf(page2).waitFor();
    await page2.goto(`${site.mesh.edgeUrl}/#/documents/edits/document/d1`);
    await page2.getByTestId('conflicts').getByText('as we say it').waitFor();
    await page2.getByTestId('conflict').getByText('Rewritten').waitFor();
    expect(await accessibilityFaults(page2)).toEqual([]);
    await page2.getByTestId('move-edit').click();
    await endOf(page2).waitFor();
    await page2.getByTestId('conflicts').waitFor({ state: 'detached' });
    const moved = await indexer().getDocument({ corpus: 'edits', documentId: 'd1' }, asManager);
    expect(moved.text).toBe('Paragraph one, as we say it.');
  },
);

test.runIf(site.chromium)('searches raise and lower a chunk and a document, as an editor says', async () => {
  await ingest('boosts', 1);
  const page = await site.pages.open('#/documents/boosts/document/d0', { key: 'editor' });
  const overlays = async () => {
    const { overlays: found } = await overlayService().listOverlays({ corpus: 'boosts' }, asManager);
    return found.map(({ boost, target }) => [target?.kind, boost]).sort();
  };
  const choose = async (place: Locator, label: string) => {
    await place.getByTestId('boost').getByRole('button').click();
    await page.getByRole('option', { name: label, exact: true }).click();
  };
  const chunk = page.getByTestId('chunk').filter({ hasText: 'Paragraph 0.' });
  await choose(chunk, 'Much higher');
  await expect.poll(overlays, poll).toEqual([[OverlayKind.CHUNK_BOOST, 1]]);
  await endOf(page).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await choose(page.locator('header').filter({ has: page.getByTestId('delete-document') }), 'Lower');
  await expect.poll(overlays, poll).toEqual([
    [OverlayKind.CHUNK_BOOST, 1],
    [OverlayKind.DOCUMENT_BOOST, -0.5],
  ]);
  await endOf(page).waitFor();
  await choose(chunk, 'By relevance');
  await expect.poll(overlays, poll).toEqual([[OverlayKind.DOCUMENT_BOOST, -0.5]]);
});

test.runIf(site.chromium)('a document is deleted after a confirmation, with a receipt', async () => {
  await ingest('deletions', 2);
  const page = await site.pages.open('#/documents/deletions/document/d0', { key: 'editor' });
  await page.getByTestId('delete-document').click();
  await page.getByRole('alertdialog').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  await page.getByTestId('delete-document').click();
  await page.getByTestId('delete-document-confirm').click();
  await page.getByTestId('delete-receipt').getByText('1 document and 1 chunks').waitFor();
  const { documents } = await indexer().listDocuments({ corpus: 'deletions' }, asManager);
  expect(documents.map(({ documentId }) => documentId)).toEqual(['d1']);
});

test.runIf(site.chromium)('jobs show what failed and why', async () => {
  const page = await site.pages.open('#/documents/broken/upload', { key: 'editor' });
  await chooseFiles(page, [file('good.md', 'Fine.'), file('film.mkv', 'x')]);
  await page.getByTestId('upload-start').click();
  await endOf(page).waitFor();
  await page.getByRole('link', { name: 'Details' }).click();
  await page.getByTestId('failures').getByText('film.mkv').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.goto(`${site.mesh.edgeUrl}/#/jobs`);
  await page.getByTestId('jobs').getByText('broken').waitFor();
});

test.runIf(site.chromium)(
  'a source is tested, defined, run dry and run, and what it removes waits for approval',
  async () => {
    mkdirSync(join(folder, 'docs'));
    for (let at = 0; at < 4; at++)
      writeFileSync(join(folder, 'docs', `p${at}.md`), `# Page ${at}\n\nText of page ${at}.`);
    const page = await site.pages.open('#/sources/new', { key: 'manager' });
    await page.getByTestId('source-name').fill('handbook');
    await page.getByTestId('source-corpus').fill('handbook');
    await page.getByTestId('source-adapter').getByRole('button').click();
    await page.getByRole('option', { name: 'Folder of the server', exact: true }).click();
    await page.getByTestId('source-settings').fill(JSON.stringify({ path: '/etc' }));
    await page.getByTestId('source-test-button').click();
    await page.getByTestId('source-test').or(page.getByTestId('failure')).waitFor();
    await page.getByTestId('source-settings').fill(JSON.stringify({ path: join(folder, 'docs') }));
    await page.getByTestId('source-test-button').click();
    await page.getByTestId('source-test').getByText('p3.md').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('source-save').click();
    await page.getByTestId('pause-source').waitFor();

    // A folder that changes runs by itself as well, so there can be more runs than were asked for.
    const done = () => page.getByTestId('runs').getByText('Done').count();
    const runAgain = async (button: string) => {
      const before = await done();
      await page.getByTestId(button).click();
      await expect.poll(done, poll).toBeGreaterThan(before);
    };
    await runAgain('run-source');
    await expect
      .poll(async () => (await indexer().listDocuments({ corpus: 'handbook' }, asManager)).documents.length, poll)
      .toBe(4);
    await runAgain('dry-run');
    for (const name of ['p0.md', 'p1.md', 'p2.md']) rmSync(join(folder, 'docs', name));
    for (let tries = 0; tries < 4; tries++) await runAgain('run-source');
    await page.getByTestId('held-removals').getByText('p0.md').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('approve-removals').click();
    await page.getByTestId('approve-removals-confirm').click();
    await page.getByTestId('held-removals').waitFor({ state: 'detached' });
  },
);

test.runIf(site.chromium)(
  'a held version shows its checks, is approved, and the version before becomes live again',
  async () => {
    await ingest('versions', 40);
    expect((await ingest('versions', 4, true)).state).toBe(JobState.HELD);
    const page = await site.pages.open('#/quality', { key: 'manager' });
    await page.getByTestId('held-version').getByText('Size').waitFor();
    await page.getByTestId('gate-report').getByText('Documents: 40 → 4').waitFor();
    await page.getByTestId('language').click();
    await page.getByTestId('gate-report').getByText('文档数：40 → 4').waitFor();
    await page.getByTestId('language').click();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(`${site.mesh.edgeUrl}/#/quality/versions/versions`);
    await page.getByTestId('versions').getByRole('link', { name: 'Held' }).click();
    await page.getByTestId('approve-version').click();
    await page.getByTestId('approve-version-confirm').click();
    await page.getByTestId('held-version').waitFor({ state: 'detached' });
    const count = async () => (await indexer().listDocuments({ corpus: 'versions' }, asManager)).documents.length;
    await expect.poll(count, poll).toBe(4);
    await page.goto(`${site.mesh.edgeUrl}/#/quality/versions/versions`);
    await page.getByTestId('rollback').first().click();
    await page.getByTestId('rollback-confirm').click();
    await expect.poll(count, poll).toBe(40);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('tab-gate').click();
    await page.getByTestId('trial-canary').fill('20');
    await page.getByTestId('gate-save').click();
    await page.getByText('Saved.').waitFor();
    expect((await ingest('versions', 39, true)).state).toBe(JobState.HELD);
    await page.goto(`${site.mesh.edgeUrl}/#/quality`);
    await page.getByTestId('trial-answers').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByTestId('reject-version').click();
    await page.getByTestId('reject-version-confirm').click();
    await page.getByTestId('held-version').waitFor({ state: 'detached' });
    await page.goto(`${site.mesh.edgeUrl}/#/quality/versions/versions`);
    await page.getByTestId('tab-health').click();
    await page.getByTestId('health').or(page.getByTestId('empty')).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  },
);

test.runIf(site.chromium)('each role sees its sections, and nothing of the others is fetched', async () => {
  /** Opens an address and returns the page with what it calls, once it knows its caller. */
  const openAs = async (key: string, address: string) => {
    const calls: string[] = [];
    const page = await site.pages.open('#', { key });
    page.on('request', (request) => calls.push(new URL(request.url()).pathname));
    const caller = page.waitForResponse(/CallerService\/GetCaller/);
    await page.goto(`${site.mesh.edgeUrl}/${address}`);
    await page.reload();
    await caller;
    await page.getByTestId('question').or(page.getByTestId('empty')).or(page.getByTestId('sources')).first().waitFor();
    const links = async () => {
      const shown = await page.getByTestId('navigation').getByRole('link').allTextContents();
      return shown.map((text) => text.trim());
    };
    return { page, links, calls };
  };
  const everything = [
    ...['Ask', 'Inbox', 'Conversations', 'Search lab', 'Documents', 'Jobs', 'Sources', 'Quality', 'Evaluation'],
    ...['Models and cost', 'Administration'],
  ];
  for (const [key, address, expected] of [
    ['manager', '#/sources', everything],
    ['editor', '#', ['Ask', 'Documents', 'Jobs']],
    ['reader', '#', []],
    ['reader', '#/sources', []],
  ] as const) {
    const { page, links, calls } = await openAs(key, address);
    // The menu is drawn after the reply, which a busy machine may take its time for.
    await expect.poll(links, poll).toEqual(expected);
    if (key === 'reader') expect(calls.filter((path) => path.includes('SourceService'))).toEqual([]);
    await page.context().close();
  }
});

test.runIf(site.chromium)('10,000 documents are scrolled and searched without all of them in the page', async () => {
  await ingest('large', 10_000);
  const page = await site.pages.open('#/documents/large', { key: 'editor' });
  const table = page.getByTestId('documents');
  await table.getByText('d0', { exact: true }).first().waitFor();
  await table.hover();
  for (let step = 0; step < 30; step++) {
    await page.mouse.wheel(0, 4000);
    await page.waitForTimeout(20);
  }
  expect(await table.getByRole('row').count()).toBeLessThan(60);
  await page.getByTestId('document-search').fill('d9999');
  await expect.poll(() => table.getByRole('row').count(), poll).toBe(2);
});
