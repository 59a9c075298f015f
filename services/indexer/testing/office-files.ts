import { zipOf } from './zip-of.ts';

// Small documents of Office and their relatives, for tests.

const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
/** Characters that XML cannot hold are left out, as programs do. */
const isInXml = (character: string) => /[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(character);
const xmlText = (text: string) => escapeXml([...text.toWellFormed()].filter(isInXml).join(''));

const w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"';

/** Returns a Word document with this body, styles and other parts. */
export function docxOf(body: string, parts: Readonly<Record<string, string>> = {}): Buffer {
  return zipOf({ 'word/document.xml': `<w:document ${w}><w:body>${body}</w:body></w:document>`, ...parts });
}

/** A paragraph of Word; `properties` as XML. */
export const paragraphOf = (text: string, properties = '') =>
  `<w:p><w:pPr>${properties}</w:pPr><w:r><w:t xml:space="preserve">${xmlText(text)}</w:t></w:r></w:p>`;

/** A part of Word: styles, numbering, footnotes. */
export const wordPart = (name: string, content: string) => `<w:${name} ${w}>${content}</w:${name}>`;

const p = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"';
const a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"';
const r = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"';
const relations = (entries: readonly (readonly [id: string, type: string, target: string])[]) =>
  `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${entries
    .map(([id, type, target]) => `<Relationship Id="${id}" Type="http://x/${type}" Target="${target}"/>`)
    .join('')}</Relationships>`;

/** A shape of a slide with paragraphs; `kind` of its placeholder. */
export const shapeOf = (kind: string, ...texts: readonly string[]) =>
  `<p:sp><p:nvSpPr><p:nvPr>${kind === '' ? '' : `<p:ph type="${kind}"/>`}</p:nvPr></p:nvSpPr><p:txBody>${texts
    .map((text) => `<a:p><a:r><a:t>${xmlText(text)}</a:t></a:r></a:p>`)
    .join('')}</p:txBody></p:sp>`;

/** Returns a presentation; each slide with its shapes, notes, and whether it is hidden. */
export function pptxOf(slides: readonly { shapes: string; notes?: string; isHidden?: boolean }[]): Buffer {
  const files: Record<string, string> = {
    'ppt/presentation.xml': `<p:presentation ${p} ${r}><p:sldIdLst>${slides
      .map((_, index) => `<p:sldId id="${index}" r:id="r${index}"/>`)
      .join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relations(
      slides.map((_, index) => [`r${index}`, 'slide', `slides/slide${index}.xml`] as const),
    ),
  };
  for (const [index, { shapes, notes, isHidden }] of slides.entries()) {
    const show = isHidden === true ? ' show="0"' : '';
    files[`ppt/slides/slide${index}.xml`] =
      `<p:sld ${p} ${a}${show}><p:cSld><p:spTree>${shapes}</p:spTree></p:cSld></p:sld>`;
    if (notes === undefined) continue;
    files[`ppt/slides/_rels/slide${index}.xml.rels`] = relations([['n', 'notesSlide', `../notes/n${index}.xml`]]);
    files[`ppt/notes/n${index}.xml`] =
      `<p:notes ${p} ${a}>${shapeOf('body', notes)}${shapeOf('sldNum', '7')}</p:notes>`;
  }
  return zipOf(files);
}

const odf = ['office', 'text', 'table', 'style', 'presentation', 'meta']
  .map((name) => `xmlns:${name}="urn:oasis:names:tc:opendocument:xmlns:${name}:1.0"`)
  .join(' ');
const drawing = 'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"';

/** Returns an OpenDocument file: `kind` is "text", "spreadsheet" or "presentation". */
export function odfOf(kind: string, body: string, parts: { styles?: string; manifest?: string } = {}): Buffer {
  const { styles = '', manifest } = parts;
  const content = `<office:document-content ${odf} ${drawing}><office:automatic-styles>${styles}</office:automatic-styles><office:body><office:${kind}>${body}</office:${kind}></office:body></office:document-content>`;
  return zipOf({ 'content.xml': content, ...(manifest !== undefined && { 'META-INF/manifest.xml': manifest }) });
}

/** Returns a book of chapters in the order of reading; the list of files is in the reverse order. */
export function epubOf(chapters: readonly string[], parts: Readonly<Record<string, string>> = {}): Buffer {
  const files = chapters.map((_, index) => `<item id="c${index}" href="text/c%20${index}.xhtml"/>`).reverse();
  const spine = chapters.map((_, index) => `<itemref idref="c${index}"/>`);
  const pages = chapters.map((body, index) => [`OPS/text/c ${index}.xhtml`, `<html><body>${body}</body></html>`]);
  return zipOf({
    'META-INF/container.xml':
      '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
    'OPS/book.opf': `<o:package xmlns:o="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><o:metadata><dc:title>书</dc:title><dc:language>zh</dc:language></o:metadata><o:manifest>${files.join('').replaceAll('<item', '<o:item')}</o:manifest><o:spine>${spine.join('').replaceAll('<itemref', '<o:itemref')}</o:spine></o:package>`,
    ...Object.fromEntries(pages),
    ...parts,
  });
}

export { xmlText };
