import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { create, toJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { GetCallerResponseSchema } from '#gen/ragmesh/edge/v1/caller_pb.ts';
import { sectionsOf } from './src/state/sections.ts';
import { findChromium } from './testing/browser.ts';
import { type ConsoleBrowser, startConsoleBrowser } from './testing/console-page.ts';
import { type StandIn, startStandIn } from './testing/stand-in.ts';

// What an address of a section loads when it is the first one that a browser opens.

const chromium = findChromium();
if (chromium === undefined) console.log('skipped: sizes of sections in a browser (no Chromium)');

/** All that a section loads, compressed, in bytes. Charts, about 120 kB, come with the first chart. */
const maxBytes = 400_000;
const roles = [Role.READER, Role.EDITOR, Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR, Role.PLATFORM_ADMINISTRATOR];

describe.skipIf(chromium === undefined)('a section', () => {
  let browser: ConsoleBrowser;
  let standIn: StandIn;

  beforeAll(async () => {
    browser = await startConsoleBrowser(chromium ?? '', () => undefined);
    standIn = await startStandIn(browser.dist);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await standIn?.close();
  });

  test.each(sectionsOf(roles))(`%s loads at most ${maxBytes / 1000} kB`, async (section) => {
    const page = await browser.newPage();
    const caller = create(GetCallerResponseSchema, { caller: { tenant: 'demo', user: 'dev', roles } });
    await page.route('**/GetCaller', (route) => route.fulfill({ json: toJson(GetCallerResponseSchema, caller) }));
    const assets = new Set<string>();
    page.on('requestfinished', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith('/assets/')) assets.add(pathname);
    });
    await page.goto(`${standIn.url}#/${section}`);
    await page.locator('.operations > :not(.waiting)').first().waitFor();
    await page.waitForLoadState('networkidle');
    const files = await Promise.all([...assets].map((path) => readFile(join(browser.dist, path))));
    const sizeBytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    process.stdout.write(`${section}: ${Math.round(sizeBytes / 1000)} kB in ${assets.size} files\n`);
    expect([...assets].some((path) => path.includes(`${section}-section`))).toBe(true);
    expect(sizeBytes, [...assets].join(' ')).toBeLessThanOrEqual(maxBytes);
    await page.context().close();
  });
});
