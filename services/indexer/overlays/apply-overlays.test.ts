import { expect, test } from 'vitest';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { OverlayKind } from '#gen/ragmesh/indexer/v1/overlay_pb.ts';
import type { PreparedDocument } from '../prepare/prepared.ts';
import { applyOverlays, hashOfText, noteLeftOut, type OverlayChange } from './apply-overlays.ts';

const options = { targetTokens: 100, overlapTokens: 10, embeddingModel: 'words', dimensions: 16 };

/** A document whose chunks are these ranges of the text. */
function documentOf(text: string, ranges: readonly (readonly [number, number])[]): PreparedDocument {
  return {
    documentId: 'a.md',
    origin: { fileIndex: 0, path: 'a.md', line: 0 },
    ...{ placedIn: '', title: 'Title', url: '', language: 'en', groups: [], attributes: {}, updatedAtMs: undefined },
    text,
    chunks: ranges.map(([start, end]) => ({ start, end, headingPath: [], language: 'en' })),
    contentHash: 'as-read',
  };
}
const chunk = (text: string, change: string | undefined): OverlayChange => ({
  documentId: 'a.md',
  kind: OverlayKind.CHUNK,
  contentHash: hashOfText(text),
  text: change,
});
const textsOf = ({ text, chunks }: PreparedDocument) => chunks.map(({ start, end }) => text.slice(start, end));
const separate = documentOf('one. two. three.', [
  [0, 4],
  [5, 9],
  [10, 16],
]);

test('a chunk has its new text, and every other one its own, as slices of the new text', () => {
  const edited = applyOverlays(separate, [chunk('two.', 'a longer second part.')], options);
  expect(edited.text).toBe('one. a longer second part. three.');
  expect(textsOf(edited)).toEqual(['one.', 'a longer second part.', 'three.']);
  expect(edited.source).toEqual({ title: 'Title', text: separate.text, chunks: separate.chunks });
  expect(edited.contentHash).not.toBe('as-read');
});

test('what a chunk repeats of a replaced one before it is left out', () => {
  // "two" is in the first and in the second chunk.
  const overlapping = documentOf('one two three', [
    [0, 7],
    [4, 13],
  ]);
  expect(textsOf(applyOverlays(overlapping, [chunk('one two', 'first')], options))).toEqual(['first', ' three']);
  const second = applyOverlays(overlapping, [chunk('two three', 'second')], options);
  expect([second.text, textsOf(second)]).toEqual(['one twosecond', ['one two', 'second']]);
});

test('a hidden chunk is in the text and in no chunk; of a hidden document no chunk is left', () => {
  const hidden = applyOverlays(separate, [chunk('two.', undefined)], options);
  expect([hidden.text, textsOf(hidden)]).toEqual([separate.text, ['one.', 'three.']]);
  const whole = { documentId: 'a.md', kind: OverlayKind.DOCUMENT, contentHash: '', text: undefined };
  expect(applyOverlays(separate, [whole], options).chunks).toEqual([]);
});

test('an overlay of another content changes nothing, and without overlays the document is the same object', () => {
  expect(applyOverlays(separate, [chunk('zwei.', 'x')], options)).toBe(separate);
  expect(applyOverlays(separate, [], options)).toBe(separate);
});

test('the order of overlays does not change the result, and the same ones give the same hash', () => {
  const title = { documentId: 'a.md', kind: OverlayKind.TITLE, contentHash: hashOfText('Title'), text: 'Better' };
  const changes = [chunk('one.', '1.'), chunk('three.', '3.'), title];
  const edited = applyOverlays(separate, changes, options);
  expect(edited).toMatchObject({ title: 'Better', text: '1. two. 3.' });
  expect(applyOverlays(separate, changes.toReversed(), options)).toEqual(edited);
});

test('edits of a text that is gone are a note of the document, and those that apply are none', () => {
  const edits = [chunk('two.', 'x'), chunk('zwei.', 'y'), chunk('drei.', undefined)];
  expect(noteLeftOut(separate, edits)).toMatchObject([{ path: 'a.md', kind: NoteKind.EDIT_NOT_APPLIED, count: 2 }]);
  expect(noteLeftOut(separate, [chunk('two.', 'x')])).toEqual([]);
});
