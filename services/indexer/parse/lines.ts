/** A line of a file. */
export interface Line {
  /** From 1. */
  number: number;
  /** Without its line end; `undefined` if it is longer than the limit. */
  bytes: Uint8Array | undefined;
}

/** Yields the lines of a byte stream. At most one line and one part of the stream are in memory. */
export async function* readLines(parts: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncIterable<Line> {
  let number = 1;
  let open: Uint8Array[] = [];
  let openBytes = 0;
  const keep = (part: Uint8Array) => {
    openBytes += part.byteLength;
    // Past the limit, only the length is counted.
    if (openBytes <= lineBytesMax) open.push(part);
    else open = [];
  };
  const take = (): Line => {
    const bytes =
      openBytes > lineBytesMax ? undefined : open.length === 1 ? (open[0] as Uint8Array) : Buffer.concat(open);
    open = [];
    openBytes = 0;
    return { number: number++, bytes };
  };
  for await (const part of parts) {
    let start = 0;
    for (let end = part.indexOf(10); end !== -1; end = part.indexOf(10, start)) {
      keep(part.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < part.byteLength) keep(part.subarray(start));
  }
  if (openBytes > 0) yield take();
}
