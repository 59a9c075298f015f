import { childOf, findAll, textOf, type XmlElement } from '../../../parse/xml/read-xml.ts';

/** The words of a paragraph of OpenDocument, and what hangs on it. */
export interface OdfWords {
  text: string;
  /** Texts of its notes. */
  notes: string[];
  /** Frames that are anchored in it. */
  shapes: XmlElement[];
}

const spacesMax = 1000;

/** Reads the words of a paragraph. `isHidden` decides for the style of a piece. */
export function readOdfWords(paragraph: XmlElement, isHidden: (style: string | undefined) => boolean): OdfWords {
  const words: OdfWords = { text: '', notes: [], shapes: [] };
  const stack: (XmlElement | string)[] = [...paragraph.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node === 'string') {
      // White space of the file collapses; elements represent spaces that count.
      words.text += node.replace(/\s+/g, ' ');
      continue;
    }
    const isLeft = node.name === 'text:span' && isHidden(node.attributes['text:style-name']);
    if (isLeft || addLeaf(node, words)) continue;
    for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as XmlElement);
  }
  return words;
}

function addLeaf(node: XmlElement, words: OdfWords): boolean {
  if (node.name === 'text:s') words.text += ' '.repeat(Math.min(Number(node.attributes['text:c'] ?? 1), spacesMax));
  else if (node.name === 'text:tab') words.text += ' ';
  else if (node.name === 'text:line-break') words.text += '\n';
  else if (node.name === 'text:note') {
    const body = childOf(node, 'text:note-body');
    if (body !== undefined) words.notes.push([...findAll(body, 'text:p')].map(textOf).join('\n'));
  } else if (node.name.startsWith('drawing:') && node.name !== 'drawing:a') words.shapes.push(node);
  else return node.name === 'office:annotation' || node.name === 'text:hidden-text' || node.name === 'text:ruby-text';
  return true;
}
