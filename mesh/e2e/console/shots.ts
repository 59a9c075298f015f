import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { startScriptedModel } from '../testing/scripted-model.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';
import { createPages } from './pages.ts';
import { createSeedClock, seed, seedConfig } from './seed.ts';

// `npm run console:shots -- <folder> [<names>] [<variants>]`: pictures of every section over a month of the sample, or of those named, to be
// looked at; in every language, colour scheme and size, or in those named: `zh-light-desktop,en-dark-phone`. `-` is for all names.

const addresses = {
  ask: '#',
  inbox: '#/inbox',
  conversations: '#/conversations',
  queue: '#/conversations/queue',
  lab: '#/lab/q%3Dhow%2Blong%2Bdo%2BI%2Bhave%2Bto%2Breturn%2Bbedding',
  'lab-why':
    '#/lab/q%3Dgoodwill%2Brefund%2Blimit%26as%3Dcarl%26reason%3Dticket%2B7%26corpus%3Dshop%26doc%3Dstaff%252Frefund-approval-limits.md',
  documents: '#/documents/handbook',
  document: '#/documents/shop/document/LMP-2050',
  upload: '#/documents/shop/upload',
  jobs: '#/jobs',
  sources: '#/sources',
  'new-source': '#/sources/new',
  held: '#/quality/held/handbook',
  health: '#/quality/health/shop',
  versions: '#/quality/versions/shop',
  gate: '#/quality/gate/shop',
  suites: '#/evaluation/suites',
  'question-sets': '#/evaluation/sets',
  compare: '#/evaluation/compare',
  usage: '#/cost/usage',
  limits: '#/cost/limits',
  targets: '#/cost/targets',
  reconcile: '#/cost/reconcile',
  'limits-set': '#/administration/limits',
  keys: '#/administration/keys',
  'new-key': '#/administration/keys/new',
  tenants: '#/administration/tenants',
  curated: '#/administration/curated',
  audit: '#/administration/audit',
  privacy: '#/administration/privacy',
  'system-health': '#/administration/health',
  configuration: '#/administration/configuration',
};
/** Longest time for a page to read what it shows, and then to draw it, in milliseconds. */
const [readMs, drawMs] = [20_000, 400];

const [folder = 'console-shots', names = '-', variants = '-'] = process.argv.slice(2);
const isNamed = (list: string, name: string) => list === '-' || list.split(',').includes(name);
const chromium = findChromium();
if (chromium === undefined) throw new Error('pictures need Chromium: install the package "chromium"');
mkdirSync(folder, { recursive: true });
const sourceFolder = mkdtempSync(join(tmpdir(), 'ragmesh-shots-'));
const clock = createSeedClock();
const model = await startScriptedModel({ tokens: { prompt: 1800, completion: 240 } });
const mesh = await startWholeMesh({ clock: clock.now, tracing: true, config: seedConfig(sourceFolder, model.url) });
await seed(mesh.edgeUrl, sourceFolder, clock);
const browser = await launchChromium(chromium);
const { open, problems } = createPages(browser, mesh.edgeUrl);
for (const [name, address] of Object.entries(addresses)) {
  if (!isNamed(names, name)) continue;
  for (const [language, locale] of Object.entries({ en: 'en-GB', zh: 'zh-CN' })) {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [size, viewport] of Object.entries({
        desktop: { width: 1280, height: 800 },
        phone: { width: 390, height: 844 },
      })) {
        const variant = `${language}-${colorScheme}-${size}`;
        if (!isNamed(variants, variant)) continue;
        const page = await open(address, { key: 'lead', locale, colorScheme, viewport });
        await settle(page);
        await page.screenshot({ path: join(folder, `${name}-${variant}.png`) });
        await page.context().close();
      }
    }
  }
  process.stdout.write(`${name}\n`);
}
await browser.close();
await mesh.close();
await model[Symbol.asyncDispose]();
rmSync(sourceFolder, { recursive: true, force: true });
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exit(problems.length === 0 ? 0 : 1);

/** Waits until a page has read what it shows. */
async function settle(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => document.querySelector('.waiting') === null, undefined, { timeout: readMs });
  await page.waitForTimeout(drawMs);
}
