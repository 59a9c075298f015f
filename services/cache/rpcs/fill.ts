import { toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { FillRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { StoredAnswer } from '../answers/answer-store.ts';
import { holderOf } from '../answers/key.ts';
import { unique } from '../answers/labels.ts';
import { encodeEvents, type Recording, toRecording, withoutCaller } from '../answers/recording.ts';
import type { Flight } from '../flights/flight.ts';
import type { RpcDeps } from './rpc-deps.ts';

/** Longest wait for the durable store at the end of a fill, in milliseconds. */
const keepTimeoutMs = 2000;

/** Creates the rpc Fill: it records the answer of a lease and stores it on commit. */
export function createFill({ settings, layers, flights, meaning, clock, random }: RpcDeps) {
  async function fill(requests: AsyncIterable<FillRequest>, context: CallContext) {
    let flight: Flight | undefined;
    try {
      for await (const { part } of requests) {
        if (!settings.enabled) continue;
        if (flight === undefined) {
          flight = await begin(part, context);
          continue;
        }
        switch (part.case) {
          case 'start':
            throw invalidArgument('start comes once, first');
          case 'answer':
            append(flight, part.value);
            break;
          case 'commit':
            return { stored: await commit(flight, part.value.ttlSeconds, context) };
          default:
            return { stored: false };
        }
      }
      return { stored: false };
    } finally {
      // Changes nothing for a flight that has finished.
      flight?.end('abandoned');
    }
  }

  /** Takes the lease that the first message names. */
  async function begin(part: FillRequest['part'], context: CallContext): Promise<Flight> {
    if (part.case !== 'start') throw invalidArgument('the first message must be start');
    const caller = context.principal;
    const flight = await flights.take(caller.tenant, part.value.leaseId, holderOf(caller));
    if (flight === undefined) throw leaseLost();
    // The stream may be silent for as long as the model thinks, so its end is watched beside its messages.
    const abandon = () => flight.end('abandoned');
    if (context.signal.aborted) abandon();
    context.signal.addEventListener('abort', abandon, { once: true });
    return flight;
  }

  function append(flight: Flight, received: AnswerEvent): void {
    const event = withoutCaller(received);
    if (isDone(flight)) throw invalidArgument('an event came after done');
    flight.append(event, toBinary(AnswerEventSchema, event).length);
  }

  async function commit(flight: Flight, ttlSeconds: number, context: CallContext): Promise<boolean> {
    if (flight.state !== 'filling') throw leaseLost();
    if (!isDone(flight)) throw invalidArgument('commit came before done');
    const recording = flight.isTainted ? undefined : toRecording(flight.events);
    flight.end('finished', recording !== undefined);
    if (recording === undefined) return false;
    // From here on an invalidation no longer finds the flight, and finds the stored answer instead.
    const begunIn = { seen: layers.epoch(flight.tenant).seen, stored: flight.epoch };
    const answer = toAnswer(flight, recording, ttlSeconds);
    if (answer === undefined) return false;
    await layers.keep(answer, begunIn, keepTimeoutMs, flight.isRefresh);
    // A question without evidence in one wording may have some in another.
    if (meaning !== undefined && !recording.isRefusal) {
      await meaning.compare(flight, recording);
      await meaning.remember(flight, context.principal, answer, context);
    }
    return true;
  }

  /** Returns the answer to store; `undefined` if its time to live is 0. */
  function toAnswer(flight: Flight, recording: Recording, ttlSeconds: number): StoredAnswer | undefined {
    const { isRefusal, events, labels } = recording;
    const longestMs = isRefusal ? settings.refusalTtlMs : settings.ttlMs;
    const ttlMs = ttlSeconds === 0 ? longestMs : Math.min(longestMs, ttlSeconds * 1000);
    if (ttlMs === 0) return undefined;
    const storedAtMs = clock();
    // Jitter: answers that were stored together do not become stale together.
    const staleAtMs = storedAtMs + Math.ceil(ttlMs * (1 - 0.1 * random()));
    // The missing evidence of a refusal may be written soon, and a caller that limits the time means it.
    const isExact = isRefusal || ttlSeconds !== 0;
    return {
      tenant: flight.tenant,
      key: flight.key,
      value: encodeEvents(events),
      storedAtMs,
      staleAtMs,
      expiresAtMs: isExact ? staleAtMs : staleAtMs + settings.staleMs,
      labels: unique([...flight.labels, ...labels]),
      scope: flight.scope,
    };
  }

  return fill;
}

const isDone = (flight: Flight): boolean => flight.events.at(-1)?.event.case === 'done';

function leaseLost() {
  return rpcError(
    Code.Aborted,
    ErrorReason.LEASE_LOST,
    'the lease is lost: it expired, was used, or belongs to another caller; look up again',
  );
}
