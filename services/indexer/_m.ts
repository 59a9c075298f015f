import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { createFromAdapter, listAdapters } from '#kit/adapters.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { prepareUpload } from './prepare/prepare-upload.ts';

const f = new URL('./adapters/parser/', import.meta.url);
const parsers = await Promise.all(listAdapters(f).map((n) => createFromAdapter<any, any>(f, n, {}, {}, 'x')));
const walk = (d: string): string[] =>
  readdirSync(d).flatMap((n) => {
    const p = d + '/' + n;
    return statSync(p).isDirectory() ? walk(p) : [p];
  });
const roots = process.argv.slice(2).filter((a) => !a.startsWith('-'));
const files = roots
  .flatMap((r) =>
    statSync(r).isDirectory() ? walk(r).map((p) => ({ p, n: p.slice(r.length + 1) })) : [{ p: r, n: r }],
  )
  .map(({ p, n }) => ({
    path: n,
    mediaType: '',
    sizeBytes: statSync(p).size,
    groups: [],
    attributes: {},
    read: () => createReadStream(p) as AsyncIterable<Uint8Array>,
  }));
const s = performance.now();
let docs = 0,
  chunks = 0,
  fails = 0;
const toks: number[] = [];
for await (const b of prepareUpload(files, parsers, {
  targetTokens: 320,
  overlapTokens: 40,
  embeddingModel: 'h',
  dimensions: 384,
})) {
  docs += b.documents.length;
  fails += b.failures.length;
  for (const x of b.failures) console.log(x);
  for (const d of b.documents) {
    chunks += d.chunks.length;
    if (process.argv.includes('-v')) {
      console.log(
        `\n===== ${d.documentId} | ${d.title} | ${d.url} | ${d.language} | ${d.groups} | ${JSON.stringify(d.attributes)} | ${d.updatedAtMs}`,
      );
      for (const c of d.chunks) {
        const t = d.text.slice(c.start, c.end);
        console.log(`--- [${c.start},${c.end}] ${estimateTokens(t)}t ${c.language} ${c.headingPath.join(' > ')}\n${t}`);
      }
    }
    if (process.argv.includes('-t')) for (const c of d.chunks) toks.push(estimateTokens(d.text.slice(c.start, c.end)));
  }
}
console.log({ docs, chunks, fails, ms: Math.round(performance.now() - s) });
toks.sort((a, b) => a - b);
if (toks.length)
  console.log(
    [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1].map((q) => toks[Math.min(toks.length - 1, Math.floor(q * toks.length))]),
  );
