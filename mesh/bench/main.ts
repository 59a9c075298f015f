import { parseArgs } from 'node:util';
import { benchAnswers } from './answers.ts';
import { benchCache } from './cache.ts';
import { benchCapacity } from './capacity/capacity.ts';
import { benchConsole } from './console/console.ts';
import { benchCosts } from './costs/costs.ts';
import { benchPrivacy } from './costs/privacy.ts';
import { benchHostile } from './hostile/hostile.ts';
import { benchIngest } from './ingest/ingest.ts';
import { benchLlm } from './llm/llm.ts';
import { benchWire } from './llm/wire/wire.ts';
import { printTable } from './measure.ts';
import { benchMounts } from './mounts.ts';
import { benchParse } from './parse/parse.ts';
import { benchRetrieval } from './retrieval/retrieval.ts';
import { benchVectors } from './vectors/vectors.ts';

const help = `npm run bench -- [mounts | answers | costs | privacy | cache | capacity | retrieval | vectors | llm | wire | parse | ingest | hostile | console] [--data <folder>] [--quick]

Measures ratios side by side in one run, and prints one table.

  mounts    our grpc mount against bare grpc-js, the local mount against the grpc mount
  answers   cached answers through the edge against a bare stream; time to the first text; costs
  costs     CPU of a cached answer, a generated one and a gateway request: one process, and the edge apart
  privacy   CPU and time of a generated and of a cached answer, with masking of personal data and guardrails, and with neither; three minutes
  cache     look-ups that hit, layer by layer, over gRPC and in process; those in Redis against a bare GET
  capacity  what a request costs each process of a deployment over PostgreSQL and Redis; writes deployments/capacity/costs.json,
            from which npm run plan computes; needs both servers; only if it is named
  retrieval hybrid retrieval over the help corpora, and over 214,000 chunks made of them, quiet, after a start and beside
            changes; needs --data; ten minutes
  vectors   the search of vectors in memory by itself, up to a million; three minutes
  llm       the LLM gateway against direct calls of a provider on loopback, and against @portkey-ai/gateway (npm), which
            is installed into the temporary folder at the first run: ten minutes
  wire      the edge, Portkey's gateway and a bare proxy of Node, all on OpenAI's wire: whole replies and streams of 200 deltas; two minutes
  parse     PDFs: words, tables of ICDAR 2013, CPU and memory, beside @llamaindex/liteparse and pdfjs-dist if installed (npm install
            --no-save); needs --data, a folder with expected.json and icdar2013/; only if it is named; a minute
  ingest    time of an ingest of the help corpora, and its memory for as many, two and four times as many documents; needs --data; only if it
            is named; five minutes
  hostile   cached answers and health checks of innocent callers beside 40 hostile requests, and beside 20,000 idle connections, with all
            defaults; only if it is named; two minutes
  console   keys and clicks in lists of 10,000 documents and 10,000 sessions, from the input to the next picture, in Chromium; only if it is
            named; three minutes
  --data    folder with alihelp-zh and alihelp-en, to measure over the help corpora; default: the sample knowledge base
  --million with retrieval: a million chunks too, an hour; with --index <folder> they stay there, and the next run takes minutes
  --quick   with llm and wire: one minute or two, to see that it works; its figures are rough; with retrieval: not the 214,000 chunks; with
            vectors: not the million
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    quick: { type: 'boolean', default: false },
    million: { type: 'boolean', default: false },
    index: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  const chosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  process.stderr.write('measuring; leave the machine alone until the table is there …\n');
  const rows = [
    ...(chosen('mounts') ? await benchMounts() : []),
    ...(chosen('answers') ? await benchAnswers(values.data) : []),
    ...(chosen('answers') || chosen('costs') ? await benchCosts() : []),
    ...(chosen('privacy') ? await benchPrivacy() : []),
    ...(chosen('cache') ? await benchCache() : []),
    ...(positionals.includes('retrieval') || (positionals.length === 0 && values.data !== undefined)
      ? await benchRetrieval(values.data, { ...values, index: values.index })
      : []),
    ...(positionals.includes('parse') ? await benchParse(values.data) : []),
    ...(positionals.includes('ingest') ? await benchIngest(values.data) : []),
    ...(positionals.includes('hostile') ? await benchHostile() : []),
    ...(positionals.includes('console') ? await benchConsole() : []),
    ...(positionals.includes('capacity') ? await benchCapacity() : []),
    ...(chosen('vectors') ? await benchVectors(values.quick) : []),
    ...(chosen('llm') ? await benchLlm(values.quick) : []),
    ...(chosen('wire') ? await benchWire(values.quick) : []),
  ];
  process.exitCode = printTable(rows) === 0 ? 0 : 1;
}
