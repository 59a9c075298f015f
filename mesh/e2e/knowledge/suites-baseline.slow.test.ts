import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { readConfigFile } from '#kit/host/config/config.ts';
import { evaluateSuite } from '../../cli/eval/suite.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The router, the check of sentences and the search for personal data are as good as their committed figures on judged texts of their own,
// by the command that CI of an installation runs.

const folder = fileURLToPath(new URL('../../../deployments/suite-gold/', import.meta.url));
const baseline = join(folder, 'baseline.json');
const own = mkdtempSync(join(tmpdir(), 'ragmesh-suites-'));

let mesh: WholeMesh;
beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false });
});
afterAll(async () => {
  await mesh.close();
  rmSync(own, { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs `npm run eval -- suite`, and returns its exit code and what it prints. */
async function evaluate(...args: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  const code = await evaluateSuite({
    args: [...args, '--url', mesh.edgeUrl, '--key', mesh.devKey],
    env: {},
    readConfig: async () => readConfigFile(undefined, {}).config,
    startMesh: () => Promise.reject(new Error('a server runs')),
  });
  write.mockRestore();
  return { code, text };
}

test.each(['router', 'verifier', 'personal-data'])('the suite "%s" is no worse than its baseline', async (kind) => {
  const written = join(own, `${kind}.json`);
  const flags = ['--baseline', baseline, '--write-baseline', written];
  const { code, text } = await evaluate(kind, join(folder, `${kind}.jsonl`), ...flags);
  // What replaces the committed figures if a change is meant.
  expect(code, `${text}${readFileSync(written, 'utf8')}`).toBe(0);
  expect(text).toContain('no worse than the baseline');
});

test('a suite that loses a quarter of its texts is significantly worse', async () => {
  const lines = readFileSync(join(folder, 'router.jsonl'), 'utf8').trim().split('\n');
  const lost = lines.map((line, at) =>
    at % 4 === 0 ? line.replace(/"act": \{.*?\}/, '"act": {"act": "CONVERSATION_ACT_ABUSE"}') : line,
  );
  writeFileSync(join(own, 'router.jsonl'), lost.join('\n'));
  const { code, text } = await evaluate('router', join(own, 'router.jsonl'), '--baseline', baseline);
  expect({ code, text }).toMatchObject({
    code: 3,
    text: expect.stringMatching(/WORSE than the baseline: -0\.2.* Right act/),
  });
});

test('a suite that does not exist, a line that is no question, and figures of another file are explained', async () => {
  await expect(evaluate('ranking', baseline)).rejects.toThrow('"ranking" is no suite: allowed are retrieval, answers');
  await expect(evaluate('router', join(own, 'none.jsonl'))).rejects.toThrow('none.jsonl does not exist');
  writeFileSync(join(own, 'broken.jsonl'), '{"queryId": "a", "text": "hello"}\n{"query": 1}\n');
  await expect(evaluate('router', join(own, 'broken.jsonl'))).rejects.toThrow('broken.jsonl:2 is no JudgedQuery');
  writeFileSync(join(own, 'other.jsonl'), readFileSync(join(folder, 'router.jsonl')));
  const { code, text } = await evaluate('router', join(own, 'other.jsonl'), '--baseline', baseline);
  expect({ code, text }).toMatchObject({
    code: 0,
    text: expect.stringContaining('the baseline does not have this set'),
  });
});
