import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { sleep } from '#kit/base/streams.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import {
  addHeaders,
  type Contract,
  headersToWire,
  type Payload,
  type RequestInfo,
  type StreamDefinition,
  type StreamRequest,
  type UnaryDefinition,
  type UnaryRequest,
  wireToError,
} from './contract.ts';

/**
 * Returns the handlers of the suite's service: each request says how it wants to be answered. `unimplemented` is left out on
 * purpose. `urls` holds the URLs of calls that came by GET.
 */
export function createConformanceService(
  contract: Contract,
  urls: WeakMap<CallContext, string>,
): Readonly<Record<string, unknown>> {
  const infoSchema = contract.message('ConformancePayload.RequestInfo');

  const infoOf = (context: CallContext, desc: DescMessage, requests: readonly Message[]): RequestInfo => {
    const timeoutMs = context.timeoutMs();
    const url = urls.get(context);
    return {
      requestHeaders: headersToWire(context.requestHeader),
      requests: requests.map((request) => anyPack(desc, request)),
      ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.floor(timeoutMs)) }),
      ...(url === undefined ? {} : { connectGetInfo: { queryParams: queryOf(url) } }),
    };
  };
  const failure = (definition: { error: Parameters<typeof wireToError>[0] }, info: RequestInfo | undefined) =>
    wireToError(definition.error, info && { desc: infoSchema, message: create(infoSchema, info as never) });

  const answer = async (
    definition: UnaryDefinition | undefined,
    context: CallContext,
    requestInfo: RequestInfo,
  ): Promise<{ payload: Payload }> => {
    if (definition === undefined) return { payload: { requestInfo } };
    addHeaders(definition.responseHeaders, context.responseHeader);
    addHeaders(definition.responseTrailers, context.responseTrailer);
    await sleep(definition.responseDelayMs, context.signal);
    const { response } = definition;
    if (response.case === 'error') throw failure({ error: response.value }, requestInfo);
    return { payload: { requestInfo, ...(response.case === 'responseData' ? { data: response.value } : {}) } };
  };

  return {
    unary: (request: UnaryRequest, context: CallContext) =>
      answer(request.responseDefinition, context, infoOf(context, context.method.input, [request])),

    idempotentUnary: (request: UnaryRequest, context: CallContext) =>
      answer(request.responseDefinition, context, infoOf(context, context.method.input, [request])),

    async clientStream(requests: AsyncIterable<UnaryRequest>, context: CallContext) {
      const received: UnaryRequest[] = [];
      for await (const request of requests) received.push(request);
      return answer(received[0]?.responseDefinition, context, infoOf(context, context.method.input, received));
    },

    async *serverStream(request: StreamRequest, context: CallContext): AsyncIterable<{ payload: Payload }> {
      const definition = begin(request, context);
      if (definition === undefined) return;
      const requestInfo = infoOf(context, context.method.input, [request]);
      yield* stream(definition, context, requestInfo, 0);
      if (definition.error !== undefined) {
        throw failure({ error: definition.error }, definition.responseData.length === 0 ? requestInfo : undefined);
      }
    },

    async *bidiStream(
      requests: AsyncIterable<StreamRequest>,
      context: CallContext,
    ): AsyncIterable<{ payload: Payload }> {
      let definition: StreamDefinition | undefined;
      let fullDuplex = false;
      let first = true;
      let received: StreamRequest[] = [];
      let sent = 0;
      for await (const request of requests) {
        received.push(request);
        if (first) {
          first = false;
          fullDuplex = request.fullDuplex ?? false;
          definition = begin(request, context);
        }
        if (!fullDuplex) continue;
        const data = definition?.responseData[sent];
        if (definition === undefined || data === undefined) break;
        const whole = infoOf(context, context.method.input, received);
        await sleep(definition.responseDelayMs, context.signal);
        yield { payload: { data, requestInfo: sent === 0 ? whole : { requests: whole.requests } } };
        sent++;
        received = [];
      }
      if (definition === undefined) return;
      const requestInfo = infoOf(context, context.method.input, received);
      yield* stream(definition, context, requestInfo, sent);
      if (definition.error !== undefined) {
        throw failure({ error: definition.error }, definition.responseData.length === 0 ? requestInfo : undefined);
      }
    },
  };
}

function begin(request: StreamRequest, context: CallContext): StreamDefinition | undefined {
  const definition = request.responseDefinition;
  if (definition === undefined) return undefined;
  addHeaders(definition.responseHeaders, context.responseHeader);
  addHeaders(definition.responseTrailers, context.responseTrailer);
  return definition;
}

// The remaining answers; the first one of a call describes the request.
async function* stream(
  definition: StreamDefinition,
  context: CallContext,
  requestInfo: RequestInfo,
  sent: number,
): AsyncIterable<{ payload: Payload }> {
  for (const [offset, data] of definition.responseData.slice(sent).entries()) {
    await sleep(definition.responseDelayMs, context.signal);
    yield { payload: sent + offset === 0 ? { data, requestInfo } : { data } };
  }
}

function queryOf(url: string) {
  return [...new URL(url, 'http://localhost').searchParams].map(([name, value]) => ({ name, value: [value] }));
}
