import { create, type DescMethod, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { type CallOptions, ConnectError } from '@connectrpc/connect';
import { sleep } from '#kit/base/streams.ts';
import { createClient } from '#kit/rpc/client.ts';
import { createGrpcTransport, type GrpcTransport } from '#kit/rpc/grpc/client.ts';
import {
  addHeaders,
  type ClientCompatRequest,
  type Contract,
  errorToWire,
  headersToWire,
  loadContract,
  type Payload,
} from './contract.ts';
import { frame, readFrames } from './framing.ts';

// The client under test: `node client.ts <image>`. It makes the calls that stdin asks for with the kit's gRPC transport and
// client, and says on stdout what came back.

/** Largest number of calls in flight. */
const maxRunning = 16;

/** Longest time for a call whose end does not come, in milliseconds: below the suite's own patience of 20 s. */
const giveUpMs = 10_000;

/** `STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM`. */
const fullDuplex = 5;

/** `COMPRESSION_GZIP`. */
const gzip = 2;

type Answer = Message & { payload?: Payload };
type AnyCall = (input: unknown, options: CallOptions) => Promise<Answer> | AsyncIterable<Answer>;

async function run(contract: Contract, transport: GrpcTransport, request: ClientCompatRequest): Promise<object> {
  const method = contract.method(request.method ?? '');
  const call = (createClient(contract.service, transport) as Record<string, unknown>)[method.localName] as AnyCall;
  const abort = new AbortController();
  const giveUp = setTimeout(() => abort.abort(), giveUpMs);
  const headers = new Headers();
  addHeaders(request.requestHeaders, headers);
  let responseHeaders = new Headers();
  let responseTrailers = new Headers();
  const options: CallOptions = {
    headers,
    signal: abort.signal,
    onHeader: (received) => {
      responseHeaders = received;
    },
    onTrailer: (received) => {
      responseTrailers = received;
    },
    ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
  };
  const turns = createTurns();
  const payloads: Payload[] = [];
  let error: ConnectError | undefined;
  try {
    const output = call(upload(contract, method, request, abort, turns), options);
    if (!isIterable(output)) {
      payloads.push((await output).payload ?? {});
    } else {
      for await (const message of output) {
        payloads.push(message.payload ?? {});
        turns.next();
        const timing = request.cancel?.cancelTiming;
        if (timing?.case === 'afterNumResponses' && timing.value === payloads.length) abort.abort();
      }
    }
  } catch (thrown) {
    error = ConnectError.from(thrown);
    responseTrailers = error.metadata;
  } finally {
    turns.end();
    clearTimeout(giveUp);
  }
  return {
    payloads,
    responseHeaders: headersToWire(responseHeaders),
    responseTrailers: headersToWire(responseTrailers),
    ...(error === undefined ? {} : { error: errorToWire(error) }),
  };
}

// The one message of a method that takes one, or a stream of messages; either way, a cancel after sending is set off here.
function upload(
  contract: Contract,
  method: DescMethod,
  request: ClientCompatRequest,
  abort: AbortController,
  turns: Turns,
): unknown {
  const messages = request.requestMessages.map((any) => anyUnpack(any, contract.registry) as Message);
  const timing = request.cancel?.cancelTiming;
  const cancelLater = () => {
    if (request.cancel === undefined || timing?.case === 'afterNumResponses') return;
    setTimeout(() => abort.abort(), timing?.case === 'afterCloseSendMs' ? timing.value : 0);
  };
  if (method.methodKind === 'unary' || method.methodKind === 'server_streaming') {
    cancelLater();
    return messages[0];
  }
  return (async function* () {
    for (const message of messages) {
      await sleep(request.requestDelayMs);
      yield message;
      if (request.streamType === fullDuplex) await turns.turn();
    }
    if (timing?.case === 'beforeCloseSend') abort.abort();
    else cancelLater();
  })();
}

interface Turns {
  /** An answer came. */
  next(): void;
  /** No more answers will come. */
  end(): void;
  /** Waits for the next answer that has no waiter yet, or for the end. */
  turn(): Promise<void>;
}

function createTurns(): Turns {
  let arrived = 0;
  let ended = false;
  let wake = () => {};
  return {
    next() {
      arrived++;
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async turn() {
      while (arrived === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      arrived--;
    },
  };
}

function isIterable(output: Promise<Answer> | AsyncIterable<Answer>): output is AsyncIterable<Answer> {
  return Symbol.asyncIterator in output;
}

const [imagePath] = process.argv.slice(2);
if (imagePath === undefined) throw new Error('usage: node client.ts <image>');
const contract = loadContract(imagePath);
const requestSchema = contract.message('ClientCompatRequest');
const responseSchema = contract.message('ClientCompatResponse');
const transports = new Map<string, GrpcTransport>();
const running = new Set<Promise<void>>();

const transportTo = ({ host, port, messageReceiveLimit, compression }: ClientCompatRequest) => {
  const key = `${host}:${port} ${messageReceiveLimit} ${compression}`;
  let transport = transports.get(key);
  if (transport === undefined) {
    transport = createGrpcTransport({
      address: `${host}:${port}`,
      methods: contract.service.methods,
      gzip: compression === gzip,
      ...(messageReceiveLimit === 0 ? {} : { maxMessageBytes: messageReceiveLimit }),
    });
    transports.set(key, transport);
  }
  return transport;
};

for await (const bytes of readFrames(process.stdin)) {
  const request = fromBinary(requestSchema, bytes) as ClientCompatRequest;
  const work = run(contract, transportTo(request), request)
    .then(
      (value) => ({ case: 'response', value }),
      (error: Error) => ({ case: 'error', value: { message: error.stack ?? error.message } }),
    )
    .then((result) => {
      const response = create(responseSchema, { testName: request.testName, result } as never);
      process.stdout.write(frame(toBinary(responseSchema, response)));
      running.delete(work);
    });
  running.add(work);
  if (running.size >= maxRunning) await Promise.race(running);
}
await Promise.all(running);
for (const transport of transports.values()) transport.close();
