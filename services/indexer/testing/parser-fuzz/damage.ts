import fc from 'fast-check';
import { openZip } from '../../parse/zip/open-zip.ts';
import { zipOf } from '../zip-of.ts';
import type { ValidFile } from './valid-files.ts';

// Changes that follow the structure of a format: a byte changed at random seldom comes farther than the first check of a parser.

/** A change of bytes. Places are shares of the length, from 0 to 1. */
type Change =
  | { kind: 'set'; at: number; byte: number }
  | { kind: 'cut'; at: number }
  | { kind: 'remove'; at: number; length: number }
  | { kind: 'repeat'; at: number; length: number; times: number }
  | { kind: 'move'; from: number; to: number; length: number }
  | { kind: 'insert'; at: number; text: string }
  | { kind: 'number'; at: number; value: string }
  | { kind: 'copy'; at: number; times: number };

/** What parsers of text formats look for, and values at the edges of numbers. */
const tokens = [
  ...[
    '<',
    '>',
    '</',
    '/>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '&amp;',
    '&#x0;',
    '&#xd800;',
    '&lol;',
    '<!DOCTYPE x [<!ENTITY a "b">]>',
  ],
  ...[
    '"',
    "'",
    ',',
    ';',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '\0',
    '\uFEFF',
    '\u202E',
    '|',
    '---\n',
    '```',
    '# ',
    '> ',
    '- ',
    '[](',
    '[[[',
  ],
  ...['{', '}', '[', ']', ':', 'null', '1e999', '-0', '{"a":', '\\u', '\\bin999999999 ', '\\par', '{\\rtf1', '\\u-1?'],
  ...['0', '-1', '65535', '2147483648', '4294967295', '9007199254740993', '99999999999999999999', 'NaN'],
  ...[
    'obj',
    'endobj',
    'stream',
    'endstream',
    '0 R',
    '<<',
    '>>',
    '/Length',
    '/Kids',
    '/Parent',
    'xref',
    'trailer',
    '%%EOF',
  ],
  ...['--X', 'Content-Type: multipart/mixed; boundary=X\r\n\r\n', '=?utf-8?B?', 'begin 644 a', '-->', '00:00:00,000'],
  ...[
    'w:val=',
    'r:id=',
    'table:number-columns-repeated="99999999"',
    'w:gridSpan w:val="99999"',
    'PK\u0003\u0004',
    'PK\u0001\u0002',
  ],
];

const numbers = ['0', '-1', '1', '255', '65536', '2147483648', '99999999999999999999', '1e9'];

const share = fc.double({ min: 0, max: 1, noNaN: true });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: share, byte: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: share }),
  fc.record({ kind: fc.constant('remove' as const), at: share, length: fc.nat({ max: 200 }) }),
  fc.record({
    ...{ kind: fc.constant('repeat' as const), at: share, length: fc.integer({ min: 1, max: 300 }) },
    times: fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 20 }) }, { weight: 1, arbitrary: fc.nat({ max: 2000 }) }),
  }),
  fc.record({ kind: fc.constant('move' as const), from: share, to: share, length: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: share, text: fc.constantFrom(...tokens) }),
  // What keeps a text well-formed comes farther: another number, an element several times.
  fc.record({ kind: fc.constant('number' as const), at: share, value: fc.constantFrom(...numbers) }),
  fc.record({ kind: fc.constant('copy' as const), at: share, times: fc.integer({ min: 1, max: 200 }) }),
);

/** Largest file that changes make, in bytes. */
const maxBytes = 1 << 20;

function apply(bytes: Buffer, one: Change): Buffer {
  const place = (at: number) => Math.min(bytes.length, Math.floor(at * bytes.length));
  const splice = (at: number, removed: number, added: Uint8Array) =>
    Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]).subarray(0, maxBytes);
  switch (one.kind) {
    case 'set':
      return splice(place(one.at), 1, Uint8Array.of(one.byte));
    case 'cut':
      return bytes.subarray(0, place(one.at));
    case 'remove':
      return splice(place(one.at), one.length, new Uint8Array());
    case 'repeat': {
      const at = place(one.at);
      const piece = bytes.subarray(at, at + one.length);
      return splice(at, 0, Buffer.concat(Array.from({ length: Math.min(one.times, maxBytes / 300) }, () => piece)));
    }
    case 'move':
      return splice(place(one.to), 0, bytes.subarray(place(one.from), place(one.from) + one.length));
    case 'insert':
      return splice(place(one.at), 0, Buffer.from(one.text));
    case 'number':
      return replaceOne(bytes, /\d+/g, one.at, () => one.value);
    case 'copy':
      return replaceOne(bytes, /<([\w:]+)\b[^<>]*>[^<>]*<\/\1>/g, one.at, (found) => found.repeat(one.times + 1));
    default:
      return one satisfies never;
  }
}

// Replaces one of the matches; bytes are kept as they are.
function replaceOne(bytes: Buffer, pattern: RegExp, at: number, replace: (found: string) => string): Buffer {
  const text = bytes.toString('latin1');
  const matches = [...text.matchAll(pattern)];
  const match = matches[Math.min(matches.length - 1, Math.floor(at * matches.length))];
  if (match === undefined) return bytes;
  const end = match.index + match[0].length;
  const changed = text.slice(0, match.index) + replace(match[0]) + text.slice(end);
  return Buffer.from(changed, 'latin1').subarray(0, maxBytes);
}

/** A damaged file. */
export interface DamagedFile {
  parser: string;
  path: string;
  bytes: Buffer;
}

/**
 * Returns an arbitrary of damaged files. Of a format that is a ZIP of parts, mostly one part is changed before it is packed again, so that the
 * change reaches the reader of the part.
 */
export async function damagedFiles(valid: readonly ValidFile[]): Promise<fc.Arbitrary<DamagedFile>> {
  const each = await Promise.all(
    valid.map(async ({ parser, path, bytes }) => {
      const parts = await partsOf(bytes);
      const changes = fc.oneof(fc.tuple(change), fc.array(change, { minLength: 2, maxLength: 6 }));
      const whole = changes.map((all) => ({ parser, path, bytes: all.reduce(apply, bytes) }));
      if (parts.length === 0) return whole;
      const inner = fc.tuple(fc.nat({ max: parts.length - 1 }), changes).map(([changed, all]) => {
        const packed = parts.map(({ name, content }, index) => ({
          name,
          content: index === changed ? all.reduce(apply, content) : content,
        }));
        return { parser, path, bytes: zipOf(packed) };
      });
      return fc.oneof({ weight: 3, arbitrary: inner }, { weight: 1, arbitrary: whole });
    }),
  );
  return fc.oneof(...each);
}

async function partsOf(bytes: Buffer): Promise<{ name: string; content: Buffer }[]> {
  if (bytes.subarray(0, 2).toString() !== 'PK') return [];
  const zip = await openZip(bytes);
  return Promise.all(zip.entries.map(async (entry) => ({ name: entry.name, content: await zip.read(entry) })));
}
