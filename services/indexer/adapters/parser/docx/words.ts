import { childOf, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { isOn } from './styles.ts';

/** The words of a paragraph, and what hangs on it. */
export interface Words {
  text: string;
  /** Paragraphs of text boxes that are anchored in it. */
  boxes: XmlElement[];
  /** Ids of its footnotes, `endnote:` in front of those at the end. */
  notes: string[];
  /** Pieces of hidden text that were left out. */
  hiddenCount: number;
}

/** Deleted text, moved text at its old place, instructions of fields, comments, phonetic guides. */
const skipped = new Set([
  'w:del',
  'w:moveFrom',
  'w:delText',
  'w:instrText',
  'w:pPr',
  'w:rPr',
  'w:rt',
  'mc:Fallback',
  'w:object',
]);

/** Reads the words of a paragraph or of a part of it, in order. */
export function readWords(root: XmlElement): Words {
  const words: Words = { text: '', boxes: [], notes: [], hiddenCount: 0 };
  const stack: (XmlElement | string)[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node === 'string' || skipped.has(node.name)) continue;
    if (node.name === 'w:r' && isOn(childOf(node, 'w:rPr'), 'w:vanish')) {
      words.hiddenCount++;
      continue;
    }
    if (addLeaf(node, words)) continue;
    for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as XmlElement);
  }
  return words;
}

/** Adds an element that is read as a whole; reports whether it was one. */
function addLeaf(node: XmlElement, words: Words): boolean {
  switch (node.name) {
    case 'w:t':
    case 'm:t':
      words.text += node.children.filter((child) => typeof child === 'string').join('');
      return true;
    case 'w:tab':
    case 'w:ptab':
      words.text += '\t';
      return true;
    case 'w:br':
    case 'w:cr':
      words.text += '\n';
      return true;
    case 'w:noBreakHyphen':
      words.text += '-';
      return true;
    case 'w:footnoteReference':
      words.notes.push(node.attributes['w:id'] ?? '');
      return true;
    case 'w:endnoteReference':
      words.notes.push(`endnote:${node.attributes['w:id'] ?? ''}`);
      return true;
    case 'w:txbxContent':
      words.boxes.push(node);
      return true;
    default:
      return false;
  }
}
