/** A line that is longer than allowed, or not JSON. The message does not repeat its text, which may have a part of a prompt. */
export class NdjsonError extends Error {
  override readonly name = 'NdjsonError';
}

/**
 * Yields the values of a stream of JSON lines, however its bytes are cut. A line may have `maxLineBytes` UTF-16 units, which are never more
 * than its bytes. Throws NdjsonError for a longer line, and for a line that is not JSON. A last line without its newline counts if it is
 * complete, and is dropped if the stream was cut inside of it.
 */
export async function* readNdjson(
  bytes: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<unknown, void, undefined> {
  // Not fatal: an invalid character inside a text does not end an answer; outside of a text it makes the JSON invalid.
  const decoder = new TextDecoder('utf-8');
  let pending: string[] = [];
  let pendingLength = 0;
  const take = (part: string) => {
    const line = pendingLength === 0 ? part : pending.join('') + part;
    pending = [];
    pendingLength = 0;
    return line;
  };
  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      if (pendingLength + at - from > maxLineBytes)
        throw new NdjsonError(`a line is longer than ${maxLineBytes} bytes`);
      const line = take(text.slice(from, at));
      from = at + 1;
      if (line.trim() !== '') yield parse(line);
    }
    if (from < text.length) {
      pending.push(text.slice(from));
      pendingLength += text.length - from;
      if (pendingLength > maxLineBytes) throw new NdjsonError(`a line is longer than ${maxLineBytes} bytes`);
    }
  }
  const rest = take(decoder.decode()).trim();
  if (rest === '') return;
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    return;
  }
  yield value;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new NdjsonError('a line is not JSON');
  }
}
