import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Authority, Identity } from '#kit/testing/authority.ts';

/** A provider of models outside of the mesh: it speaks OpenAI's chat completions over TLS. */
export interface Provider extends AsyncDisposable {
  /** How it answers from now on: the number of sentences, and the wait before each, in milliseconds. */
  pace: { sentenceCount: number; gapMs: number };
  /** Answers so far. */
  answerCount(): number;
  /** Shows a certificate from now on. Connections that are open end. */
  show(identity: Identity): void;
}

/** Starts the provider at an address, on port 443. */
export async function startProvider(address: string, authority: Authority, host: string): Promise<Provider> {
  const { certificate, key } = authority.issue(`DNS:${host}`);
  let answerCount = 0;
  const server = createServer({ cert: certificate, key }, async (request, response) => {
    if (request.method !== 'POST') return void response.end(JSON.stringify({ data: [{ id: 'lab', object: 'model' }] }));
    let text = '';
    for await (const part of request) text += part;
    answerCount++;
    const { stream } = JSON.parse(text) as { stream?: boolean };
    await answer(response, stream === true, provider.pace);
  });
  const provider: Provider = {
    pace: { sentenceCount: 1, gapMs: 0 },
    answerCount: () => answerCount,
    show(identity) {
      server.setSecureContext({ cert: identity.certificate, key: identity.key });
      server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(443, address, resolve);
  });
  return provider;
}

async function answer(
  response: ServerResponse,
  isStream: boolean,
  { sentenceCount, gapMs }: Provider['pace'],
): Promise<void> {
  const sentences = Array.from({ length: sentenceCount }, () => 'The fee of rule lab-1 is 4711 yuan [1]. ');
  const usage = { prompt_tokens: 11, completion_tokens: 8 * sentenceCount, total_tokens: 11 + 8 * sentenceCount };
  const label = { id: 'chatcmpl-1', created: 1_767_225_600, model: 'lab' };
  if (!isStream) {
    const message = { role: 'assistant', content: sentences.join('') };
    const body = {
      ...label,
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage,
    };
    return void response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (choices: readonly object[], extra: object = {}) =>
    response.write(`data: ${JSON.stringify({ ...label, object: 'chat.completion.chunk', choices, ...extra })}\n\n`);
  for (const content of sentences) {
    await new Promise((resolve) => setTimeout(resolve, gapMs));
    if (response.destroyed) return;
    send([{ index: 0, delta: { content }, finish_reason: null }]);
  }
  send([{ index: 0, delta: {}, finish_reason: 'stop' }]);
  send([], { usage });
  response.end('data: [DONE]\n\n');
}
