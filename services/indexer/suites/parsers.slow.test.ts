import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { Parser } from '../parse/parser.ts';
import { docxOf, epubOf, odfOf, paragraphOf, pptxOf, shapeOf, xmlText } from '../testing/office-files.ts';
import { parserSuite } from './parser.suite.ts';

// The suite of parsers over formats that are packed or nested. Those of text run it beside them.

const folder = new URL('../adapters/parser/', import.meta.url);
const load = (name: string) => createFromAdapter<Parser, object>(folder, name, undefined, {}, 'indexer.parser');
const rtfText = (text: string) =>
  [...text].map((character) => {
    const units = Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index)}?`);
    return /[ -[\]-z|~]/.test(character) ? character : units.join('');
  });

const cases = {
  docx: { path: 'a.docx', fileWith: (words: string) => docxOf(paragraphOf(`Some ${words} here.`)) },
  pptx: { path: 'a.pptx', fileWith: (words: string) => pptxOf([{ shapes: shapeOf('', `Some ${words} here.`) }]) },
  odf: { path: 'a.odt', fileWith: (words: string) => odfOf('text', `<text:p>Some ${xmlText(words)} here.</text:p>`) },
  epub: { path: 'a.epub', fileWith: (words: string) => epubOf([`<p>Some ${xmlText(words)} here.</p>`]) },
  rtf: { path: 'a.rtf', fileWith: (words: string) => Buffer.from(`{\\rtf1 Some ${rtfText(words).join('')} here.}`) },
  json: {
    path: 'a.json',
    fileWith: (words: string) => `[{"title":"T","text":${JSON.stringify(`Some ${words} here.`)}}]`,
  },
  mail: {
    path: 'a.eml',
    fileWith: (words: string) =>
      Buffer.from(`Subject: T\nContent-Type: text/plain; charset=utf-8\n\nSome ${words} here.\n`),
  },
};
for (const [name, { path, fileWith }] of Object.entries(cases)) {
  parserSuite(name, { create: () => load(name), path, fileWith });
}
