import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import type { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import type { WholeMesh } from '../testing/whole-mesh.ts';
import { createPages, type Pages } from './pages.ts';

/** The console of a whole mesh in a real browser, for the tests of a file. */
export interface Site {
  /** The browser's program, for `test.runIf`; `undefined`: there is none, and the tests are skipped. */
  readonly chromium: string | undefined;
  readonly mesh: WholeMesh;
  readonly pages: Pages;
  /** To the edge, for clients of rpcs. */
  transport(): Transport;
}

/**
 * Builds the console, starts a mesh and a browser before the tests of a file, and ends them afterwards. A script that fails on a page, or that the
 * content policy blocks, fails the test. `testCount` tests of `what` are reported as skipped without a browser.
 */
export function useSite(what: string, testCount: number, start: () => Promise<WholeMesh>): Site {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  const chromium = findChromium();
  if (chromium === undefined) {
    if ((process.env.RAGMESH_REQUIRE ?? '').includes('chromium'))
      throw new Error('RAGMESH_REQUIRE asks for chromium, and none is installed');
    process.stderr.write(`skipped: ${testCount} tests of ${what} (no Chromium)\n`);
  }
  let browser: Browser | undefined;
  let mesh: WholeMesh | undefined;
  let pages: Pages | undefined;
  beforeAll(async () => {
    if (chromium === undefined) return;
    await promisify(execFile)('npm', ['run', '--silent', 'console:build'], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: { ...process.env, NODE_ENV: 'production' },
    });
    mesh = await start();
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
  return {
    chromium,
    get mesh() {
      return mesh as WholeMesh;
    },
    get pages() {
      return pages as Pages;
    },
    transport: () => createConnectTransport({ baseUrl: (mesh as WholeMesh).edgeUrl, httpVersion: '2' }),
  };
}

/** Keys that are the names of their users, who are of these groups of tenant "demo". */
export function keysOf(roles: Record<string, Role[]>, groups = ['staff']) {
  return Object.entries(roles).map(([id, granted]) => ({
    ...{ id, sha256: hash('sha256', id), tenant: 'demo', user: id, groups, roles: granted },
  }));
}

/** The headers of a key. */
export function as(key: string) {
  return { headers: { authorization: `Bearer ${key}` } };
}
