/** A sealed mask of a text, by offsets in UTF-16 code units, and what a reader of it sees there. */
export interface ReadMask {
  startOffset: number;
  endOffset: number;
  text: string;
}

/** Returns a text with its masks as they are read. */
export function applyReadMasks(text: string, masks: readonly ReadMask[]): string {
  let at = 0;
  const parts = masks.map(({ startOffset, endOffset, text: shown }) => {
    const part = text.slice(at, startOffset) + shown;
    at = endOffset;
    return part;
  });
  return parts.join('') + text.slice(at);
}
