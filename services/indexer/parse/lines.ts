/** A line of a file. */
export interface Line {
  /** From 1. */
  number: number;
  /** Without its line end; `undefined` where it is longer than allowed. */
  bytes: Uint8Array | undefined;
}

/** Lines of a byte stream, in memory for one line and one part of the stream at a time. */
export async function* readLines(parts: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncIterable<Line> {
  let number = 1;
  let open: Uint8Array[] = [];
  let openBytes = 0;
  const keep = (part: Uint8Array) => {
    openBytes += part.byteLength;
    // Past the limit only the count goes on.
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
