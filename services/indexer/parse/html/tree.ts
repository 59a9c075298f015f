import type { ChildNode, Element, ParentNode } from 'domhandler';

// Walks over a parsed HTML page. No function recurses, because a broken page can be nested very deeply.

/** Reports whether a node is an element. */
export function isElement(node: ChildNode | ParentNode): node is Element {
  return 'name' in node && 'attribs' in node;
}

/** Yields the elements below a node, in order; `into` decides whether to visit the children of an element. */
export function* elementsOf(root: ParentNode, into: (element: Element) => boolean = () => true): Iterable<Element> {
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!isElement(node)) continue;
    yield node;
    if (into(node))
      for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
}

/** Returns the text below a node as it is written. */
export function rawTextOf(root: ParentNode): string {
  const parts: string[] = [];
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === 'text') parts.push((node as { data: string }).data);
    if (isElement(node))
      for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
  return parts.join('');
}

/** Returns the closest element above a node for which `isWanted`; at most `depth` elements up. */
export function ancestorOf(
  element: Element,
  depth: number,
  isWanted: (above: Element) => boolean,
): Element | undefined {
  let { parent } = element;
  for (let level = 0; level < depth && parent !== null && isElement(parent); level++) {
    if (isWanted(parent)) return parent;
    ({ parent } = parent);
  }
  return undefined;
}
