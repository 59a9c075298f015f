/** One event of a server-sent stream. */
export interface ServerSentEvent {
  /** Its `event` field; empty where it has none. */
  event: string;
  /** Its `data` lines, joined by line feeds. */
  data: string;
}

/** Reads server-sent events from bytes that may be cut anywhere, inside a character or a line end as well. */
export interface ServerSentEventReader {
  /** Events that these bytes complete. Throws a RangeError where an event is longer than allowed. */
  push(bytes: Uint8Array): ServerSentEvent[];
  /** What the end of the stream leaves: an event that its blank line is missing from. It may be cut short. */
  end(): ServerSentEvent[];
}

const defaultMaxEventLength = 16 * 1024 * 1024;

/**
 * A reader of server-sent events by the standard (html.spec.whatwg.org, 9.2.6): a byte order mark, comments, CR, LF and CRLF, several
 * `data` lines. `maxEventLength` bounds what is held back, in UTF-16 units.
 */
export function createServerSentEventReader(maxEventLength = defaultMaxEventLength): ServerSentEventReader {
  const decoder = new TextDecoder();
  let rest = '';
  let endedWithCr = false;
  let event = '';
  let data: string[] = [];
  let dataLength = 0;

  const dispatch = (events: ServerSentEvent[]) => {
    if (data.length > 0) events.push({ event, data: data.join('\n') });
    event = '';
    data = [];
    dataLength = 0;
  };
  const takeLine = (line: string, events: ServerSentEvent[]) => {
    if (line === '') return dispatch(events);
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const valueAt = colon === -1 ? line.length : colon + (line.charCodeAt(colon + 1) === space ? 2 : 1);
    if (field === 'data') {
      data.push(line.slice(valueAt));
      dataLength += line.length - valueAt + 1;
    } else if (field === 'event') event = line.slice(valueAt);
  };
  const take = (text: string): ServerSentEvent[] => {
    const events: ServerSentEvent[] = [];
    if (text === '') return events;
    // The line feed of a CRLF that was cut in two ends no second line.
    let at = endedWithCr && text.charCodeAt(0) === lf ? 1 : 0;
    endedWithCr = text.charCodeAt(text.length - 1) === cr;
    lineEnd.lastIndex = at;
    for (let found = lineEnd.exec(text); found !== null; found = lineEnd.exec(text)) {
      takeLine(rest + text.slice(at, found.index), events);
      rest = '';
      at = lineEnd.lastIndex;
    }
    rest += text.slice(at);
    if (rest.length + dataLength > maxEventLength) throw new RangeError(`an event is longer than ${maxEventLength}`);
    return events;
  };
  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end() {
      const events = take(decoder.decode());
      if (rest !== '') takeLine(rest, events);
      rest = '';
      dispatch(events);
      return events;
    },
  };
}

const lf = 10;
const cr = 13;
const space = 32;
const lineEnd = /\r\n|\n|\r/g;
