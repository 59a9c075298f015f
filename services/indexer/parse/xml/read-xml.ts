import { SaxesParser } from 'saxes';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { detectEncoding, markOf } from '../encoding/detect.ts';
import { UnreadableError } from '../parser.ts';
import { prefixOf } from './namespaces.ts';

/** An element with what is below it. Names have the prefix of `namespaces.ts`, whatever the file calls it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

/** Limits: nesting, and elements of one that is returned. */
const depthMax = 400;
const elementsMax = 1_000_000;

interface OpenElement extends XmlElement {
  children: (XmlElement | string)[];
}

/**
 * Yields the outermost elements that `isWanted` accepts, one after another, while the bytes arrive: only one of them is in memory. Entities
 * that the file defines are not known, so nothing expands. Throws UnreadableError if the bytes are not XML.
 */
export async function* readElements(
  bytes: AsyncIterable<Uint8Array>,
  isWanted: (name: string) => boolean,
): AsyncIterable<XmlElement> {
  const done: XmlElement[] = [];
  const parser = createParser(isWanted, done);
  let decoder: TextDecoder | undefined;
  try {
    for await (const part of bytes) {
      decoder ??= new TextDecoder(charsetOf(part), { fatal: true });
      parser.write(decoder.decode(part, { stream: true }));
      yield* done.splice(0);
    }
    parser.close();
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    throw new UnreadableError('holds XML that is damaged: open and save it with its program first');
  }
  yield* done.splice(0);
}

/** Returns the root element of a small XML file. */
export async function readRoot(bytes: AsyncIterable<Uint8Array>): Promise<XmlElement> {
  for await (const element of readElements(bytes, () => true)) return element;
  throw new UnreadableError('holds XML without an element');
}

function createParser(isWanted: (name: string) => boolean, done: XmlElement[]) {
  const parser = new SaxesParser({ xmlns: true });
  const open: OpenElement[] = [];
  let depth = 0;
  let count = 0;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ uri, local, prefix, attributes }) => {
    depth++;
    if (depth > depthMax) throw new UnreadableError(`is nested more than ${depthMax} deep`, ErrorReason.TOO_LARGE);
    const name = nameOf(uri, prefix, local);
    if (open.length === 0 && !isWanted(name)) return;
    count++;
    if (count > elementsMax) throw new UnreadableError('has a part that is too large: split it', ErrorReason.TOO_LARGE);
    const values: Record<string, string> = {};
    for (const attribute of Object.values(attributes)) {
      values[attribute.prefix === '' ? attribute.local : nameOf(attribute.uri, attribute.prefix, attribute.local)] =
        attribute.value;
    }
    const element: OpenElement = { name, attributes: values, children: [] };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  const addText = (text: string) => void open.at(-1)?.children.push(text);
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    depth--;
    const element = open.pop();
    if (element === undefined || open.length > 0) return;
    done.push(element);
    count = 0;
  });
  return parser;
}

function nameOf(uri: string, prefix: string, local: string): string {
  const known = prefixOf(uri) ?? prefix;
  return known === '' ? local : `${known}:${local}`;
}

function charsetOf(head: Uint8Array): string {
  const mark = markOf(head);
  if (mark !== undefined) return mark;
  const declared = /^<\?xml[^>]*encoding=["']([\w-]+)/.exec(Buffer.from(head.subarray(0, 200)).toString('latin1'))?.[1];
  if (declared === undefined) return detectEncoding(head, false)?.charset ?? 'utf-8';
  return declared;
}

/** Yields the elements below one with any of the names, in order, without those below another such element. */
export function* findAll(root: XmlElement, ...names: string[]): Iterable<XmlElement> {
  const stack: (XmlElement | string)[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node === 'string') continue;
    if (names.includes(node.name)) yield node;
    else for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as XmlElement);
  }
}

/** Returns the first child with the name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child): child is XmlElement => typeof child !== 'string' && child.name === name);
}

/** Returns the elements directly below one. */
export function childrenOf(element: XmlElement): XmlElement[] {
  return element.children.filter((child): child is XmlElement => typeof child !== 'string');
}

/** Returns all text below an element. */
export function textOf(element: XmlElement): string {
  const parts: string[] = [];
  const stack: (XmlElement | string)[] = [element];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node === 'string') parts.push(node);
    else for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as XmlElement);
  }
  return parts.join('');
}
