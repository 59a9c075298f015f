import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { ChosenAdapter } from '#kit/host/config/settings.ts';
import type { Ocr } from '../../parse/ocr.ts';
import { type Parser, type ParserDeps, UnreadableError } from '../../parse/parser.ts';
import { createOcr } from '../parsers.ts';
import type { FromChild, ToChild } from './protocol.ts';
import { watch } from './watch.ts';

// The process that parses files of parsers with `isolation: 'process'`, one after another. Its arguments are the most memory that it may
// hold, in bytes, the folder of the parsers, and what reads images, as JSON.

const parsers = new Map<string, Promise<Parser>>();
const [, , memoryBytesMax, folder = '', ocrText = 'null'] = process.argv;
const ocr = JSON.parse(ocrText) as ChosenAdapter | null;
const deps: ParserDeps = ocr === null ? {} : { ocr: loadOnce(ocr) };

// When the channel closes, no result will be read.
process.on('disconnect', () => process.exit());
await watch({ memoryBytesMax: Number(memoryBytesMax) });
for (;;) {
  const message = await receive();
  if (message.kind === 'parse') await send(await ended(() => parse(message)));
  if (message.kind === 'render') await send(await ended(() => render(message)));
}

/** Does the work and returns how it ended. */
async function ended(work: () => Promise<void>): Promise<FromChild> {
  try {
    await work();
    return { kind: 'done', rssBytes: process.memoryUsage.rss() };
  } catch (error) {
    const rssBytes = process.memoryUsage.rss();
    if (!(error instanceof UnreadableError)) return { kind: 'failed', name: (error as Error).name, rssBytes };
    const { reason, message, line } = error;
    return { kind: 'unreadable', reason, message, line, rssBytes };
  }
}

async function parse({ parser: name, file }: Extract<ToChild, { kind: 'parse' }>): Promise<void> {
  const parser = await load(name);
  for await (const parsed of parser.parse(file, readBytes())) {
    await send({ kind: 'parsed', parsed });
    await receive();
  }
}

async function render({ parser: name, wish }: Extract<ToChild, { kind: 'render' }>): Promise<void> {
  const page = await (await load(name)).renderPage?.(readBytes(), wish);
  if (page === undefined) throw new UnreadableError('has no pages to show');
  await send({ kind: 'rendered', page });
  await receive();
}

async function* readBytes(): AsyncIterable<Uint8Array> {
  for (;;) {
    await send({ kind: 'read' });
    const answer = await receive();
    if (answer.kind !== 'bytes' || answer.bytes === undefined) return;
    yield answer.bytes;
  }
}

function load(name: string): Promise<Parser> {
  const found =
    parsers.get(name) ?? createFromAdapter<Parser, ParserDeps>(new URL(folder), name, {}, deps, 'indexer.parser');
  parsers.set(name, found);
  return found;
}

/** Returns a function that loads it at its first call: models take memory, and most files need none. */
function loadOnce(chosen: ChosenAdapter): () => Promise<Ocr> {
  let loading: Promise<Ocr> | undefined;
  return () => {
    loading ??= createOcr(chosen);
    return loading;
  };
}

function receive(): Promise<ToChild> {
  return new Promise((resolve) => process.once('message', (message) => resolve(message as ToChild)));
}

/** Resolves when the message has left, so that a call that then blocks the process does not hold it back. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}
