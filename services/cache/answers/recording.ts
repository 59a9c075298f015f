import { crc32 } from 'node:zlib';
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import {
  type AnswerEvent,
  AnswerEventSchema,
  AnswerOutcome,
  type CacheLayer,
  type SentenceVerdict,
  type Sources,
  VerdictsSchema,
} from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ChangedBytesError } from './answer-store.ts';
import { labelsOfPassages } from './labels.ts';

/** An answer that may be stored. */
export interface Recording {
  /** Sources, text in few frames, citations, verdicts, usage, done; without anything of the caller for whom it was generated. */
  events: AnswerEvent[];
  /** Whether it says that there is no evidence. */
  isRefusal: boolean;
  /** The labels that its passages add. */
  labels: string[];
}

/** Length of a stored text frame, in UTF-16 code units. */
const frameLength = 32_768;

/**
 * Returns what may be stored of a generation's events; `undefined` if they are not a whole answer: no text, no end, cut short, filtered,
 * generated without a stage that was missing or late, or not verified against its passages. A refusal claims nothing.
 */
export function toRecording(events: readonly AnswerEvent[]): Recording | undefined {
  const last = events.at(-1)?.event;
  if (last?.case !== 'done') return undefined;
  const { outcome, degradations, verified, unsupportedClaims, defects } = last.value;
  const isRefusal = outcome === AnswerOutcome.REFUSED;
  if (outcome !== AnswerOutcome.ANSWERED && !isRefusal) return undefined;
  if (degradations.length + unsupportedClaims.length + defects.length > 0) return undefined;
  if (!isRefusal && !verified) return undefined;

  const { sources, text, citations, sentences, usage } = partsOf(events);
  const passages = sources?.passages ?? [];
  const isResolved = citations.every(({ event }) => event.case === 'citation' && event.value.marker <= passages.length);
  if (text === '' || !isResolved) return undefined;
  return {
    events: [
      ...(sources === undefined ? [] : [wrap({ case: 'sources', value: sources })]),
      ...framesOf(text),
      ...citations,
      ...(sentences.length === 0 ? [] : [wrap({ case: 'verdicts', value: create(VerdictsSchema, { sentences }) })]),
      ...(usage === undefined ? [] : [usage]),
      withoutCaller(events.at(-1) as AnswerEvent),
    ].map(asCached),
    isRefusal,
    labels: labelsOfPassages(passages),
  };
}

/** Returns what is left of events after the last reset. */
function partsOf(events: readonly AnswerEvent[]) {
  let sources: Sources | undefined;
  let text = '';
  let citations: AnswerEvent[] = [];
  let sentences: SentenceVerdict[] = [];
  let usage: AnswerEvent | undefined;
  for (const answer of events) {
    const { event } = answer;
    if (event.case === 'sources') sources = event.value;
    else if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'citation') citations.push(answer);
    else if (event.case === 'verdicts') sentences.push(...event.value.sentences);
    else if (event.case === 'usage') usage = answer;
    else if (event.case === 'reset') {
      text = '';
      citations = [];
      sentences = [];
    }
  }
  return { sources, text, citations, sentences, usage };
}

/** Returns the event without the ids and the trace of the caller for whom it was generated. */
export function withoutCaller(answer: AnswerEvent): AnswerEvent {
  if (answer.event.case !== 'done') return answer;
  const { outcome, model, degradations, cacheLayer, unsupportedClaims, verified, defects } = answer.event.value;
  return create(AnswerEventSchema, {
    event: { case: 'done', value: { outcome, model, degradations, cacheLayer, unsupportedClaims, verified, defects } },
  });
}

/** Returns the event; if it is a usage, marked as that of an earlier generation. */
export function asCached(answer: AnswerEvent): AnswerEvent {
  if (answer.event.case !== 'usage') return answer;
  const usage = clone(AnswerEventSchema, answer);
  if (usage.event.case === 'usage') usage.event.value.fromCache = true;
  return usage;
}

/** Returns the event; if it is the end, with the layer that it came from. */
export function fromLayer(answer: AnswerEvent, layer: CacheLayer): AnswerEvent {
  if (answer.event.case !== 'done') return answer;
  const { outcome, model, degradations, unsupportedClaims, verified, defects } = answer.event.value;
  return create(AnswerEventSchema, {
    event: {
      case: 'done',
      value: { outcome, model, degradations, cacheLayer: layer, unsupportedClaims, verified, defects },
    },
  });
}

/** Returns events as bytes: CRC-32 of the rest (4 bytes), then each event preceded by its length. */
export function encodeEvents(events: readonly AnswerEvent[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const event of events) writer.bytes(toBinary(AnswerEventSchema, event));
  const body = writer.finish();
  const bytes = Buffer.allocUnsafe(4 + body.length);
  bytes.writeUInt32BE(crc32(body));
  bytes.set(body, 4);
  return bytes;
}

/** Returns the events of {@link encodeEvents}. Throws ChangedBytesError if the bytes changed: such an answer must not be shown. */
export function decodeEvents(bytes: Uint8Array): AnswerEvent[] {
  const body = bytes.subarray(4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint32(0) !== crc32(body))
    throw new ChangedBytesError('the stored bytes have changed');
  const reader = new BinaryReader(body);
  const events: AnswerEvent[] = [];
  while (reader.pos < reader.len) events.push(fromBinary(AnswerEventSchema, reader.bytes()));
  return events;
}

/** Returns events as replicas exchange them: each preceded by its length, consecutive text joined. */
export function encodeBatch(events: readonly AnswerEvent[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const event of coalesce(events)) writer.bytes(toBinary(AnswerEventSchema, event));
  return writer.finish();
}

/** Returns the events of {@link encodeBatch} with their sizes. */
export function decodeBatch(bytes: Uint8Array): { event: AnswerEvent; sizeBytes: number }[] {
  const reader = new BinaryReader(bytes);
  const events: { event: AnswerEvent; sizeBytes: number }[] = [];
  while (reader.pos < reader.len) {
    const encoded = reader.bytes();
    events.push({ event: fromBinary(AnswerEventSchema, encoded), sizeBytes: encoded.byteLength });
  }
  return events;
}

/** Returns the events with consecutive text joined, up to the length of a frame. */
export function coalesce(events: readonly AnswerEvent[]): AnswerEvent[] {
  const fewer: AnswerEvent[] = [];
  let text = '';
  const flush = () => {
    if (text !== '') fewer.push(wrap({ case: 'textDelta', value: { text } }));
    text = '';
  };
  for (const event of events) {
    if (event.event.case === 'textDelta' && text.length < frameLength) {
      text += event.event.value.text;
      continue;
    }
    flush();
    if (event.event.case === 'textDelta') text = event.event.value.text;
    else fewer.push(event);
  }
  flush();
  return fewer;
}

function framesOf(text: string): AnswerEvent[] {
  const frames: AnswerEvent[] = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + frameLength, text.length);
    // A surrogate pair that is cut in two would not survive UTF-8.
    if (end < text.length && text.charCodeAt(end - 1) >= 0xd800 && text.charCodeAt(end - 1) < 0xdc00) end--;
    frames.push(wrap({ case: 'textDelta', value: { text: text.slice(start, end) } }));
    start = end;
  }
  return frames;
}

type EventInit = NonNullable<Parameters<typeof create<typeof AnswerEventSchema>>[1]>['event'];

function wrap(event: EventInit): AnswerEvent {
  return create(AnswerEventSchema, { event });
}
