import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

// deployments/bulk/reembed.py with a real Ray; RAGMESH_PYTHON names a Python that has it.
const python = process.env.RAGMESH_PYTHON ?? 'python3';
const hasRay = spawnSync(python, ['-c', 'import ray.data'], { timeout: 60_000 }).status === 0;
if (!hasRay) process.stderr.write('skipped: 1 test with Ray (pip install "ray[data]", RAGMESH_PYTHON)\n');
const script = fileURLToPath(new URL('../../../deployments/bulk/reembed.py', import.meta.url));

/** Serves OpenAI's embeddings: a text of n characters is (n, 1). Refuses every fifth request, as a busy server does. */
async function serveEmbeddings() {
  const texts: string[] = [];
  let count = 0;
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (++count % 5 === 1) return response.writeHead(503).end();
    const { input } = JSON.parse(Buffer.concat(parts).toString()) as { input: string[] };
    texts.push(...input);
    // In another order than that of the texts.
    const data = input.map((text, index) => ({ index, embedding: [text.length, 1] })).reverse();
    response.end(JSON.stringify({ data }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return { texts, url: `http://127.0.0.1:${port}/v1/embeddings` };
}

interface Loaded {
  id: string;
  embedding_model: string;
  chunks: { text: string; vector: string }[];
}

describe.skipIf(!hasRay)('the script that embeds with Ray', () => {
  test('gives each chunk its vector, tries again, and skips finished files', { timeout: 240_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ragmesh-bulk-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [input, output] = [join(folder, 'in'), join(folder, 'out')];
    for (const one of [input, output]) mkdirSync(one);
    const document = (id: string, text: string) => JSON.stringify({ id, title: 'Help', text, team: 'care' });
    for (let file = 0; file < 3; file++) {
      const lines = Array.from({ length: 300 }, (_, at) =>
        document(`d${file}-${at}`, `Text ${at}.\n\n${'长'.repeat(at * 10)}`),
      );
      writeFileSync(join(input, `s${file}.jsonl`), lines.join('\n'));
    }
    writeFileSync(join(output, 's0.jsonl'), 'finished before');
    writeFileSync(join(output, 's1.jsonl.part'), 'half');
    const { texts, url } = await serveEmbeddings();
    const args = [script, '--input', input, '--output', output, '--endpoint', url, '--model', 'm', '--space', 'tiny'];
    const run = async () => {
      const child = spawn(python, args, { stdio: 'ignore' });
      expect(await once(child, 'exit')).toEqual([0, null]);
    };
    await run();
    expect(readFileSync(join(output, 's0.jsonl'), 'utf8')).toBe('finished before');
    expect(readdirSync(output).sort()).toEqual(['s0.jsonl', 's1.jsonl', 's2.jsonl']);
    const loaded = ['s1', 's2'].flatMap((name) =>
      readFileSync(join(output, `${name}.jsonl`), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Loaded),
    );
    expect(loaded).toHaveLength(600);
    for (const { chunks, embedding_model: model } of loaded) {
      expect(model).toBe('tiny');
      for (const { text, vector } of chunks) {
        const bytes = new Uint8Array(Buffer.from(vector, 'base64'));
        // The title is in front of what is embedded. Python counts characters as JavaScript does here.
        expect([...new Float32Array(bytes.buffer)]).toEqual(['Help\n'.length + text.length, 1]);
      }
    }
    const before = texts.length;
    await run();
    expect(texts).toHaveLength(before);
    expect(existsSync(join(output, 's1.jsonl.part'))).toBe(false);
  });
});
