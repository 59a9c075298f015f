import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../parse/blocks.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';
import { parseWhole } from '../../parse/whole-document.ts';
import { childOf, readElements, textOf, type XmlElement } from '../../parse/xml/read-xml.ts';

const addressesMax = 50_000;

const parser: Parser = {
  mediaTypes: ['application/sitemap+xml'],
  endings: ['.xml'],
  isList: false,
  async *parse(file, bytes) {
    const builder = createTextBuilder();
    let count = 0;
    for await (const entry of readElements(bytes, isEntry)) {
      if (++count > addressesMax) {
        throw new UnreadableError(`lists more than ${addressesMax} pages: split it`, ErrorReason.TOO_LARGE);
      }
      const [address, changed] = [wordsOf(entry, 'sitemap:loc'), wordsOf(entry, 'sitemap:lastmod')];
      builder.add('list-item', changed === '' ? `- ${address}` : `- ${address} (${changed})`);
    }
    if (count === 0) {
      const message = 'is XML, of which only sitemaps are read: convert it to CSV, JSON Lines or HTML';
      throw new UnreadableError(message, ErrorReason.MEDIA_TYPE_UNSUPPORTED);
    }
    yield* parseWhole(file, { ...builder.finish(), values: {} });
  },
};

const isEntry = (name: string) => name === 'sitemap:url' || name === 'sitemap:sitemap';

function wordsOf(entry: XmlElement, name: string): string {
  const element = childOf(entry, name);
  return element === undefined ? '' : textOf(element).trim();
}

/** Reads a sitemap as the list of its pages. It does not fetch them: a source of the kind "web site" does. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
