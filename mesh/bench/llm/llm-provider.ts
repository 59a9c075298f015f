import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// A provider of completions on loopback, in a process of its own: OpenAI's wire, every byte prepared beforehand, so that it takes
// little of the machine from those who are measured. Model "short" answers immediately; "paced" sends 64 deltas, one each 20 ms; "long"
// sends 200 deltas as fast as it can, each in a write of its own.

const deltaCount = 64;
const intervalMs = 20;

const label = (object: string, model: string) =>
  `"id":"chatcmpl-bench","object":"${object}","created":1767225600,"model":"${model}","system_fingerprint":"fp_0"`;
const usage = '"usage":{"prompt_tokens":24,"completion_tokens":8,"total_tokens":32}';
const event = (model: string, choices: string, extra = '') =>
  `data: {${label('chat.completion.chunk', model)},"choices":[${choices}]${extra}}\n\n`;
const choice = (delta: string, reason = 'null') =>
  `{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${reason}}`;
const opening = (model: string) => event(model, choice('{"role":"assistant","content":"","refusal":null}'));
const ending = (model: string) =>
  `${event(model, choice('{}', '"stop"'))}${event(model, '', `,${usage}`)}data: [DONE]\n\n`;

const words = 'You can send it back within thirty days.';
const whole = Buffer.from(
  `{${label('chat.completion', 'short')},"choices":[{"index":0,"message":{"role":"assistant","content":"${words}","refusal":null},"logprobs":null,"finish_reason":"stop"}],${usage}}`,
);
const short = Buffer.from(opening('short') + event('short', choice(`{"content":"${words}"}`)) + ending('short'));
const models = Buffer.from(
  '{"object":"list","data":[{"id":"short","object":"model"},{"id":"paced","object":"model"},{"id":"long","object":"model"}]}',
);
/** A piece of a body as HTTP/1.1 frames it. */
const framed = (text: string) => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
const pacedOpening = framed(opening('paced'));
const pacedDelta = framed(event('paced', choice('{"content":" word"}')));
const pacedEnding = Buffer.from(ending('paced'));
const longDeltaCount = 200;
const longOpening = framed(opening('long'));
const longDelta = framed(event('long', choice('{"content":" word"}')));
const longEnding = Buffer.from(ending('long'));

/** A running paced stream. */
interface Paced {
  response: ServerResponse;
  left: number;
  gone: boolean;
}

// Streams by the millisecond in which their deltas are due. One timer serves all.
const slots: Paced[][] = Array.from({ length: intervalMs }, () => []);
const startedAt = performance.now();
let servedMs = 0;
const tick = () => {
  const nowMs = Math.floor(performance.now() - startedAt);
  // After a pause of the machine each stream gets what it missed at most once more, not a burst of all of it.
  if (nowMs - servedMs > intervalMs) servedMs = nowMs - intervalMs;
  while (servedMs < nowMs) {
    servedMs++;
    const index = servedMs % intervalMs;
    const streams = slots[index] as Paced[];
    let ended = false;
    for (const stream of streams) ended = !sendDelta(stream) || ended;
    if (ended) slots[index] = streams.filter(({ left, gone }) => left > 0 && !gone);
  }
  setTimeout(tick, 1);
};

// Writes a delta past ServerResponse, which would frame each one again. Returns whether the stream continues.
function sendDelta(stream: Paced): boolean {
  if (stream.gone) return false;
  stream.left--;
  stream.response.socket?.write(pacedDelta);
  if (stream.left === 0) stream.response.end(pacedEnding);
  return stream.left > 0;
}

// One delta a turn of the event loop, so that each is a packet of its own, as those of a model are.
function sendLong(response: ServerResponse, left: number): void {
  if (response.destroyed) return;
  if (left === 0) {
    response.end(longEnding);
    return;
  }
  response.socket?.write(longDelta);
  setImmediate(sendLong, response, left - 1);
}

function serve(body: string, response: ServerResponse): void {
  if (!body.includes('"stream":true')) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
    response.end(whole);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'transfer-encoding': 'chunked' });
  if (body.includes('"model":"long"')) {
    response.flushHeaders();
    response.socket?.write(longOpening);
    sendLong(response, longDeltaCount);
    return;
  }
  if (!body.includes('"model":"paced"')) {
    response.end(short);
    return;
  }
  const stream: Paced = { response, left: deltaCount, gone: false };
  response.once('close', () => {
    stream.gone = true;
  });
  response.flushHeaders();
  response.socket?.write(pacedOpening);
  slots[(Math.floor(performance.now() - startedAt) + intervalMs - 1) % intervalMs]?.push(stream);
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  request.on('error', () => {});
  response.on('error', () => {});
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': models.length });
    response.end(models);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => serve(Buffer.concat(chunks).toString('latin1'), response));
});
server.on('connection', (socket) => socket.setNoDelay(true));
server.listen(0, '127.0.0.1', 4096, () => process.send?.({ port: (server.address() as AddressInfo).port }));
tick();
process.once('disconnect', () => process.exit(0));
