import { create } from '@bufbuild/protobuf';
import { type AnswerEvent, AnswerEventSchema, type Sources } from '#gen/ragmesh/common/v1/answer_pb.ts';

// An answer whose generation ended early is generated again. A client that was shown a part of it gets the rest if the new text begins with
// the old one; otherwise a reset event invalidates the old text.

/** The part of an answer that a client was shown. */
export interface Shown {
  text: string;
  /** Markers of the citations. */
  markers: ReadonlySet<number>;
  sources: Sources | undefined;
}

/** Returns what a client has been shown after these events. */
export function shownAfter(events: Iterable<AnswerEvent>): Shown {
  let text = '';
  const markers = new Set<number>();
  let sources: Sources | undefined;
  for (const { event } of events) {
    if (event.case === 'sources') sources = event.value;
    else if (event.case === 'textDelta') text += event.value.text;
    else if (event.case === 'citation') markers.add(event.value.marker);
    else if (event.case === 'reset') {
      text = '';
      markers.clear();
    }
  }
  return { text, markers, sources };
}

/** Continues with a new generation from what a client was shown of the one before. */
export interface CatchUp {
  /** Returns the events to show for the next event of the new generation. Call it with every event, beginning with the first. */
  take(event: AnswerEvent): AnswerEvent[];
}

/** Creates the catch-up from what was `shown`. `reason`: of the reset event that invalidates what was shown, if it must. */
export function createCatchUp(shown: Shown, reason: string): CatchUp {
  // Of the text that was shown, and then of its citations alone; `over` when every event is new.
  let phase: 'text' | 'citations' | 'over' = 'text';
  let text = '';
  let sources: AnswerEvent | undefined;
  let held: AnswerEvent[] = [];

  const isNew = ({ event }: AnswerEvent) => event.case !== 'citation' || !shown.markers.has(event.value.marker);
  const goOn = (): AnswerEvent[] => {
    const rest = text.slice(shown.text.length);
    phase = 'citations';
    return [...(rest === '' ? [] : [textOf(rest)]), ...held.filter(isNew)];
  };
  const startAnew = (): AnswerEvent[] => {
    phase = 'over';
    const isVoid = shown.text !== '' || shown.markers.size > 0;
    return [
      ...(isVoid ? [create(AnswerEventSchema, { event: { case: 'reset', value: { reason } } })] : []),
      ...(sources === undefined ? [] : [sources]),
      ...(text === '' ? [] : [textOf(text)]),
      ...held,
    ];
  };

  return {
    take(event) {
      if (phase === 'citations') {
        if (event.event.case === 'reset') phase = 'over';
        return isNew(event) ? [event] : [];
      }
      if (phase === 'over') return [event];
      switch (event.event.case) {
        case 'sources':
          sources = event;
          return areSame(event.event.value, shown.sources) ? [] : startAnew();
        case 'textDelta':
          text += event.event.value.text;
          if (text.startsWith(shown.text)) return goOn();
          return shown.text.startsWith(text) ? [] : startAnew();
        case 'citation':
        case 'verdicts':
          held.push(event);
          return [];
        case 'reset':
          text = '';
          held = [];
          return [];
        default:
          // The text has ended. It is shorter than what was shown, unless there is none at all.
          return [...(text === shown.text ? goOn() : startAnew()), event];
      }
    },
  };
}

function areSame(one: Sources, other: Sources | undefined): boolean {
  return (
    one.passages.length === other?.passages.length &&
    one.passages.every(({ chunkId, documentId }, index) => {
      const passage = other.passages[index];
      return passage?.chunkId === chunkId && passage.documentId === documentId;
    })
  );
}

function textOf(text: string): AnswerEvent {
  return create(AnswerEventSchema, { event: { case: 'textDelta', value: { text } } });
}
