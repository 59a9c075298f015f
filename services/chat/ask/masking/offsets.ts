import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';

/** Places of a masked text in the shown one. */
export interface Offsets {
  /** Takes a piece of the masked text, and what is shown of the text so far. */
  add(masked: string, shown: string): void;
  /** Whether the shown text differs in length anywhere. */
  isMoved(): boolean;
  /** Moves the places that an event names. */
  moveAll(response: AskResponse): void;
}

/** Creates the places of a text that is shown with originals instead of masks. */
export function createOffsets(): Offsets {
  let masked = 0;
  let shown = 0;
  /** Places at which the length of the text changed, in order. */
  const changes: { masked: number; shown: number }[] = [];
  const move = (offset: number): number => {
    const before = changes.findLast((change) => change.masked <= offset);
    return before === undefined ? offset : Math.min(offset - before.masked + before.shown, shown);
  };
  const moveOne = (place: { start: number; end: number }) => {
    place.start = move(place.start);
    place.end = move(place.end);
  };
  return {
    add(piece, out) {
      masked += piece.length;
      shown += out.length;
      if (piece.length !== out.length) changes.push({ masked, shown });
    },
    isMoved: () => changes.length > 0,
    moveAll({ event }) {
      if (event.case === 'verdicts') event.value.sentences.forEach(moveOne);
      if (event.case === 'done') event.value.unsupportedClaims.forEach(moveOne);
    },
  };
}
