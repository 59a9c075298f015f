import { StringDecoder } from 'node:string_decoder';

/** One event of a server-sent stream. */
export interface ServerSentEvent {
  /** Its `event` field; empty: none. */
  event: string;
  /** Its `data` lines, joined by line feeds. */
  data: string;
}

/** Reads server-sent events from bytes that may be cut anywhere, also inside a character or a line end. */
export interface ServerSentEventReader {
  /** Reports the events that these bytes complete. Throws a RangeError if an event is longer than allowed. */
  push(bytes: Uint8Array): void;
  /** Reports the event at the end of the stream without its blank line. It may be incomplete. */
  end(): void;
}

/** Receives the events of a stream, in order. What it throws ends the reading. */
export interface ServerSentEventSink {
  onEvent(event: ServerSentEvent): void;
  /**
   * Called at the beginning of an event with the text from there on: reads whole events by itself, with their blank lines, and returns the
   * index behind them; `at`: it has read none. @default none
   */
  scan?(text: string, at: number): number;
}

const defaultMaxEventLength = 16 * 1024 * 1024;

/**
 * Creates a reader of server-sent events by the standard (html.spec.whatwg.org, 9.2.6): a byte order mark, comments, CR, LF and CRLF, several
 * `data` lines. `maxEventLength` bounds the buffer, in UTF-16 units.
 */
export function createServerSentEventReader(
  sink: ServerSentEventSink,
  maxEventLength = defaultMaxEventLength,
): ServerSentEventReader {
  const decoder = new StringDecoder('utf8');
  let isFirst = true;
  let rest = '';
  let endedWithCr = false;
  let event = '';
  let data: string | undefined;

  const dispatch = () => {
    const whole = data === undefined ? undefined : { event, data };
    event = '';
    data = undefined;
    if (whole !== undefined) sink.onEvent(whole);
  };
  const takeLine = (line: string) => {
    if (line === '') return dispatch();
    // Nearly every line is one of these.
    if (line.startsWith('data: ')) return takeData(line.slice(6));
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const valueAt = colon === -1 ? line.length : colon + (line.charCodeAt(colon + 1) === space ? 2 : 1);
    if (field === 'data') takeData(line.slice(valueAt));
    else if (field === 'event') event = line.slice(valueAt);
  };
  const takeData = (value: string) => {
    data = data === undefined ? value : `${data}\n${value}`;
  };
  const isBetweenEvents = () => rest === '' && data === undefined && event === '';
  const scan = sink.scan ?? readNothing;
  const startOf = (text: string): number => {
    const code = text.charCodeAt(0);
    // The line feed of a CRLF that was cut in two ends no second line; a byte order mark is no part of the text.
    const at = (endedWithCr && code === lf) || (isFirst && code === byteOrderMark) ? 1 : 0;
    isFirst = false;
    return at;
  };
  const take = (text: string) => {
    if (text === '') return;
    let at = startOf(text);
    endedWithCr = text.charCodeAt(text.length - 1) === cr;
    const endOf = text.includes('\r', at) ? lineEndOf : lineFeedOf;
    for (;;) {
      if (isBetweenEvents()) at = scan(text, at);
      const end = endOf(text, at);
      if (end === -1) break;
      const line = rest === '' ? text.slice(at, end) : rest + text.slice(at, end);
      rest = '';
      at = end + (text.charCodeAt(end) === cr && text.charCodeAt(end + 1) === lf ? 2 : 1);
      takeLine(line);
    }
    rest += text.slice(at);
    const length = rest.length + (data?.length ?? 0);
    if (length > maxEventLength) throw new RangeError(`an event is longer than ${maxEventLength}`);
  };
  return {
    push: (bytes) => take(decoder.write(bytes as Buffer)),
    end() {
      take(decoder.end());
      if (rest !== '') takeLine(rest);
      rest = '';
      dispatch();
    },
  };
}

const readNothing = (_: string, at: number) => at;

const lf = 10;
const cr = 13;
const space = 32;
const byteOrderMark = 0xfeff;

const lineFeedOf = (text: string, from: number) => text.indexOf('\n', from);

function lineEndOf(text: string, from: number): number {
  const feed = text.indexOf('\n', from);
  const back = text.indexOf('\r', from);
  return feed === -1 || back === -1 ? Math.max(feed, back) : Math.min(feed, back);
}
