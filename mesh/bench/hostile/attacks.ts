import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { IndexerService } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { zipOf } from '../../../services/indexer/testing/zip-of.ts';

/** A hostile caller. */
export interface Caller {
  port: number;
  /** An address of loopback of its own. */
  localAddress: string;
  key: string;
  /** How many requests it has sent before. */
  round: number;
  signal: AbortSignal;
}

/** A kind of hostile request. */
export interface Attack {
  name: string;
  /** Sends one. Resolves to how it ended: a status or a code. */
  send(caller: Caller): Promise<string>;
}

const megabyte = 1 << 20;
const deepJson = (depth: number) => Buffer.from(`{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`);
const listCorpora = '/ragmesh.retrieval.v1.RetrievalService/ListCorpora';

/** Sends a whole body with JSON headers. */
function post(
  path: string,
  bodyOf: (round: number) => Uint8Array,
  options: { isAnonymous?: boolean; encoding?: string } = {},
): Attack['send'] {
  return ({ port, localAddress, key, round, signal }) =>
    new Promise((resolve, reject) => {
      const sent = request({
        host: '127.0.0.1',
        port,
        localAddress,
        path,
        method: 'POST',
        signal,
        agent: false,
        headers: {
          'content-type': 'application/json',
          ...(options.isAnonymous !== true && { authorization: `Bearer ${key}` }),
          ...(options.encoding !== undefined && { 'content-encoding': options.encoding }),
        },
      });
      sent.once('error', reject);
      sent.once('response', (response) => {
        response.resume();
        response.once('error', reject);
        response.once('end', () => resolve(String(response.statusCode)));
      });
      sent.end(bodyOf(round));
    });
}

/** Uploads one file to a corpus of its own. */
function upload(path: string, content: () => Iterable<Uint8Array>): Attack['send'] {
  return async ({ port, localAddress, key, round, signal }) => {
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      httpVersion: '1.1',
      nodeOptions: { localAddress, agent: false },
    });
    async function* messages() {
      yield { part: { case: 'start' as const, value: { corpus: 'hostile' } } };
      yield { part: { case: 'file' as const, value: { path: `${localAddress}-${round}-${path}` } } };
      for (const data of content()) yield { part: { case: 'data' as const, value: data } };
    }
    const headers = { authorization: `Bearer ${key}` };
    return await createClient(IndexerService, transport)
      .ingestDocuments(messages(), { headers, signal })
      .then(
        () => 'accepted',
        (error) => Code[ConnectError.from(error).code],
      );
  };
}

/** Sends the head of a request and then a byte every 100 ms, until the server ends it. */
const drip: Attack['send'] = ({ port, localAddress, key, signal }) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    const timer = setInterval(() => socket.write(' '), 100);
    const end = () => socket.destroy();
    signal.addEventListener('abort', end, { once: true });
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.once('close', () => {
      clearInterval(timer);
      signal.removeEventListener('abort', end);
      resolve('cut');
    });
    socket.write(
      `POST /v1/chat/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{`,
    );
  });

/** Asks for all models and answers on one connection again and again, and reads nothing. */
const readNothing: Attack['send'] = async ({ port, localAddress, key, signal }) => {
  const socket = connect({ port, host: '127.0.0.1', localAddress }).pause();
  let isOpen = true;
  socket.on('error', () => {});
  socket.once('close', () => {
    isOpen = false;
  });
  const body = JSON.stringify({ query: 'How long may I return what I bought?' });
  const ask = `POST /v1/chat/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  for (let count = 0; count < 100 && isOpen && !signal.aborted; count++) {
    socket.write(ask);
    await sleep(50);
  }
  socket.destroy();
  return isOpen ? 'left' : 'cut';
};

/** Questions that are expensive for patterns and for analysis of text. */
const questions: readonly ((length: number) => string)[] = [
  (length) => 'a'.repeat(length),
  (length) => '1'.repeat(length),
  (length) => '1-'.repeat(length / 2),
  (length) => 'a@'.repeat(length / 2),
  (length) => `${'a.'.repeat(length / 2 - 1)}@`,
  (length) => '\u5c1a'.repeat(length),
  (length) => 'not '.repeat(length / 4),
  (length) => '((('.repeat(length / 3),
  (length) => 'https://'.repeat(length / 8),
  (length) => '+1 (555) '.repeat(length / 9),
  (length) => '\ud83d\ude00'.repeat(length / 2),
  (length) => 'e\u0301'.repeat(length / 2),
  (length) => Array.from({ length: length / 6 }, (_, index) => `w${index}`).join(' '),
];

const nestedList = Buffer.from(Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(2 * depth)}- a\n`).join(''));
const headings = Buffer.from('# a\n'.repeat(250_000));
const bomb = zipOf(
  Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`${index}.txt`, Buffer.alloc(50 * megabyte)])),
);
const wordsOf = (count: number) => Array.from({ length: count }, (_, index) => `word${index % 997}`).join(' ');
const words = Buffer.from(wordsOf(32_000));

/** The kinds, of cases S1, S4 and S7. */
export const attacks: readonly Attack[] = [
  {
    name: 'deep JSON, gzip, to health, without credentials',
    send: post('/grpc.health.v1.Health/Check', always(gzipSync(deepJson(2e6), { level: 9 })), {
      isAnonymous: true,
      encoding: 'gzip',
    }),
  },
  { name: 'deep JSON, 4 MB', send: post(listCorpora, always(deepJson(2e6 - 10))) },
  {
    name: 'spaces, 512 MB as gzip',
    send: post(listCorpora, always(gzipSync(Buffer.alloc(512 * megabyte, 0x20))), { encoding: 'gzip' }),
  },
  {
    name: 'a wide body of 4 MB to completions',
    send: post(
      '/v1/chat/completions',
      always(
        Buffer.from(
          JSON.stringify({
            messages: Array.from({ length: 1000 }, () => ({ role: 'user', content: 'x'.repeat(4000) })),
          }),
        ),
      ),
    ),
  },
  {
    name: 'a long history to completions',
    send: post('/v1/chat/completions', (round) =>
      Buffer.from(
        JSON.stringify({
          messages: Array.from({ length: 100 }, () => ({ role: 'user', content: `${round} ${wordsOf(450)}` })),
        }),
      ),
    ),
  },
  { name: 'a body that drips', send: drip },
  { name: 'answers that are not read', send: readNothing },
  {
    name: 'an expensive question',
    send: post('/v1/chat/stream', (round) => {
      const text = (questions[round % questions.length] as (length: number) => string)(4000);
      return Buffer.from(JSON.stringify({ query: `${round} ${text}` }));
    }),
  },
  { name: 'a list nested 1,000 deep, 1 MB', send: upload('nested.md', () => [nestedList]) },
  { name: 'headings without text, 1 MB', send: upload('headings.md', () => [headings]) },
  { name: 'a ZIP that grows 1,000 times', send: upload('bomb.zip', () => [bomb]) },
  { name: 'an upload of 32 MB', send: upload('large.txt', () => Array.from({ length: 130 }, () => words)) },
];

function always(body: Uint8Array): () => Uint8Array {
  return () => body;
}
