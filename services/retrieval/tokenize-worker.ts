import { parentPort } from 'node:worker_threads';
import { tokenize } from '#kit/text/tokenize.ts';
import type { TokenizeReply, TokenizeRequest } from './tokenizer.ts';

// The thread behind tokenizer.ts.

const port = parentPort;
if (port === null) throw new Error('tokenize-worker.ts runs as a worker thread');

port.on('message', ({ id, texts }: TokenizeRequest) => {
  const tokens = texts.map((text) => tokenize(text, { mode: 'index' }).join(' '));
  port.postMessage({ id, tokens } satisfies TokenizeReply);
});
