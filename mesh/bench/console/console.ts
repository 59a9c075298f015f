import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findChromium, launchChromium } from '../../../services/console/testing/browser.ts';
import { createProgress } from '../../cli/progress.ts';
import { percentile, type Row } from '../measure.ts';
import { measureActs, type Timed } from './acts.ts';
import { startLongLists } from './long-lists.ts';

// What a user of the console waits for after a key or a click, as the browser measures it (Event Timing, from the input to the next picture),
// with 10,000 documents and 10,000 sessions read into the page.

const barMs = 100;
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Rows: the longest of each kind of interaction. */
export async function benchConsole(): Promise<Row[]> {
  const chromium = findChromium();
  if (chromium === undefined) throw new Error('the console is measured in Chromium: install the package "chromium"');
  const progress = createProgress();
  progress.update(0, 3, 'building the console');
  await promisify(execFile)('npm', ['run', '--silent', 'console:build'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
  progress.update(1, 3, '10,000 documents and 10,000 sessions');
  await using lists = await startLongLists();
  await using browser = await launchChromium(chromium);
  progress.update(2, 3, 'keys and clicks');
  const timed = await measureActs(browser, lists.edgeUrl);
  progress.end();
  return timed.map(rowOf);
}

function rowOf({ name, durationsMs }: Timed): Row {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const longest = percentile(sorted, 1);
  return {
    name: `console: ${name}`,
    measured: `ms; the longest of ${sorted.length}, half within ${percentile(sorted, 0.5).toFixed(0)}`,
    value: longest,
    sense: '≤',
    bar: barMs,
  };
}
