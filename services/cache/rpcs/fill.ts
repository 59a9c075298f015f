import { toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { FillRequest } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { holderOf } from '../answers/key.ts';
import { unique } from '../answers/labels.ts';
import { encodeEvents, toRecording, withoutCaller } from '../answers/recording.ts';
import type { Flight } from '../flights/flight.ts';
import type { CacheParts } from '../service.ts';

/** Longest wait for the durable store at the end of a fill, in milliseconds. */
const keepTimeoutMs = 2000;

/** Creates the rpc Fill. */
export function createFill({ settings, layers, flights, meaning, clock, random }: CacheParts) {
  async function fill(requests: AsyncIterable<FillRequest>, context: CallContext) {
    const caller = context.principal;
    let flight: Flight | undefined;
    try {
      for await (const { part } of requests) {
        if (!settings.enabled) continue;
        if (part.case === 'start') {
          if (flight !== undefined) throw invalidArgument('start comes once, first');
          flight = await flights.take(caller.tenant, part.value.leaseId, holderOf(caller));
          if (flight === undefined) throw leaseLost();
          // The stream may go quiet for as long as the model thinks, so its end is watched beside its messages.
          const taken = flight;
          if (context.signal.aborted) taken.end('abandoned');
          context.signal.addEventListener('abort', () => taken.end('abandoned'), { once: true });
        } else if (flight === undefined) {
          throw invalidArgument('the first message must be start');
        } else if (part.case === 'answer') {
          const event = withoutCaller(part.value);
          if (flight.events.at(-1)?.event.case === 'done') throw invalidArgument('an event came after done');
          flight.append(event, toBinary(AnswerEventSchema, event).length);
        } else if (part.case === 'commit') {
          return { stored: await commit(flight, part.value.ttlSeconds, context) };
        } else {
          return { stored: false };
        }
      }
      return { stored: false };
    } finally {
      // Changes nothing for a flight that has finished.
      flight?.end('abandoned');
    }
  }

  async function commit(flight: Flight, ttlSeconds: number, context: CallContext): Promise<boolean> {
    if (flight.state !== 'filling') throw leaseLost();
    if (flight.events.at(-1)?.event.case !== 'done') throw invalidArgument('commit came before done');
    const recording = flight.isTainted ? undefined : toRecording(flight.events);
    flight.end('finished', recording !== undefined);
    if (recording === undefined) return false;
    // From here on an invalidation no longer finds the flight, and finds the stored answer instead.
    const begunIn = { seen: layers.epoch(flight.tenant).seen, stored: flight.epoch };
    const { isRefusal, events, labels } = recording;
    const longestMs = isRefusal ? settings.refusalTtlMs : settings.ttlMs;
    const askedMs = ttlSeconds === 0 ? longestMs : Math.min(longestMs, ttlSeconds * 1000);
    if (askedMs === 0) return false;
    const storedAtMs = clock();
    // Answers that were stored together must not grow old together.
    const staleAtMs = storedAtMs + Math.ceil(askedMs * (1 - 0.1 * random()));
    const answer = {
      tenant: flight.tenant,
      key: flight.key,
      value: encodeEvents(events),
      storedAtMs,
      staleAtMs,
      // What was missing may be written soon, and whoever limits the time means it.
      expiresAtMs: isRefusal || ttlSeconds !== 0 ? staleAtMs : staleAtMs + settings.staleMs,
      labels: unique([...flight.labels, ...labels]),
      scope: flight.scope,
    };
    await layers.keep(answer, begunIn, keepTimeoutMs, flight.isRefresh);
    // What has no evidence for one wording may have some for another.
    if (meaning !== undefined && !isRefusal) {
      await meaning.compare(flight, recording);
      await meaning.remember(flight, context.principal, answer, context);
    }
    return true;
  }

  return fill;
}

function leaseLost() {
  return rpcError(
    Code.Aborted,
    ErrorReason.LEASE_LOST,
    'the lease is lost: it expired, was used, or belongs to another caller',
  );
}
