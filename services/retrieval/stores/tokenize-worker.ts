import { parentPort } from 'node:worker_threads';
import { type TokenizeReply, type TokenizeRequest, toTokens } from './tokenizer.ts';

// The thread behind tokenizer.ts.

const port = parentPort;
if (port === null) throw new Error('tokenize-worker.ts runs as a worker thread');

port.on('message', ({ id, texts }: TokenizeRequest) => {
  port.postMessage({ id, tokens: texts.map(toTokens) } satisfies TokenizeReply);
});
