import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { readWhole } from '../../parse/decode.ts';
import { failed, noted, type Parser, UnreadableError } from '../../parse/parser.ts';
import { openZip, zipMax } from '../../parse/zip/open-zip.ts';

const parser: Parser = {
  mediaTypes: ['application/zip', 'application/x-zip-compressed'],
  endings: ['.zip'],
  isList: true,
  async *parse(_file, bytes) {
    const zip = await openZip(await readWhole(bytes, zipMax.bytes));
    let hiddenCount = 0;
    for (const entry of zip.entries) {
      if (isHidden(entry.name)) {
        hiddenCount++;
        continue;
      }
      try {
        yield { kind: 'file', file: { path: entry.name, mediaType: '', bytes: await zip.read(entry) } };
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error;
        // The entry fails alone; its documents, if it had some, are not known.
        const inner = new UnreadableError(`"${shown(entry.name)}" ${error.message}`, error.reason);
        yield failed(zip.entries.indexOf(entry) + 1, inner, undefined);
      }
    }
    if (hiddenCount > 0) {
      yield noted(NoteKind.FILE_SKIPPED, hiddenCount, 'hidden files of the system were left out');
    }
  },
};

/** Files that systems add: `.DS_Store`, `__MACOSX/…`. */
const isHidden = (name: string) =>
  name.split('/').some((part) => (part.startsWith('.') && part !== '..') || part === '__MACOSX');

const shown = (name: string) => (name.length > 200 ? `…${name.slice(-200)}` : name);

/** Reads an archive as a folder: each file in it by its own parser. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
