import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import { vi } from 'vitest';
import { launchChromium } from './browser.ts';

/** Longest wait for a state of the page, in milliseconds. */
export const timeout = 20_000;

/** The built console, and a browser to open it in. */
export interface ConsoleBrowser extends AsyncDisposable {
  /** Folder of the build. */
  dist: string;
  /** Returns an empty page in a context of its own. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
}

/** Builds the console and starts a browser. `complain` gets errors of the pages and violations of their content policy. */
export async function startConsoleBrowser(
  chromium: string,
  complain: (complaint: string) => void,
): Promise<ConsoleBrowser> {
  const dist = mkdtempSync(join(tmpdir(), 'ragmesh-console-'));
  const root = fileURLToPath(new URL('..', import.meta.url));
  vi.stubEnv('NODE_ENV', 'production'); // as `vite build` has it; a test runner's own would give a development build
  await build({ root, logLevel: 'error', build: { outDir: dist, emptyOutDir: true } });
  vi.unstubAllEnvs();
  const browser: Browser = await launchChromium(chromium);
  return {
    dist,
    async newPage(options = {}) {
      const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
      context.setDefaultTimeout(timeout);
      const page = await context.newPage();
      page.on('pageerror', (error) => complain(String(error)));
      page.on('console', (message) => {
        // The browser logs each error reply; some tests are about those.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
          complain(message.text());
      });
      return page;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      rmSync(dist, { recursive: true, force: true });
    },
  };
}
