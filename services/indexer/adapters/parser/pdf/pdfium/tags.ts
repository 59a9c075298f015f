import type { Pdfium } from './library.ts';

/** A structure element of a page. */
export interface Tag {
  /** Its type, such as `P`, `H1`, `Table`, `TD`. */
  type: string;
  /** Columns and rows that a cell covers. */
  columnSpan: number;
  rowSpan: number;
  /** Its parts in order: marked content of the page, or further elements. */
  children: (number | Tag)[];
}

/** Bounds of the work on a page. */
const limits = { depth: 60, tags: 50_000, span: 200 };

/** Reads the structure elements that are on a page; empty if there are none. */
export function readTags(pdfium: Pdfium, page: number): Tag[] {
  const { call } = pdfium;
  const tree = call.FPDF_StructTree_GetForPage(page);
  if (tree === 0) return [];
  let count = 0;
  const names = { rowSpan: pdfium.store(Buffer.from('RowSpan\0')), columnSpan: pdfium.store(Buffer.from('ColSpan\0')) };

  const read = (element: number, depth: number): Tag | undefined => {
    if (element === 0 || depth > limits.depth || ++count > limits.tags) return undefined;
    const type = pdfium.text((buffer, sizeBytes) => call.FPDF_StructElement_GetType(element, buffer, sizeBytes));
    const children: (number | Tag)[] = [];
    const childCount = call.FPDF_StructElement_CountChildren(element);
    for (let index = 0; index < childCount && count <= limits.tags; index++) {
      const content = call.FPDF_StructElement_GetChildMarkedContentID(element, index);
      if (content >= 0) children.push(content);
      else {
        const child = read(call.FPDF_StructElement_GetChildAtIndex(element, index), depth + 1);
        if (child !== undefined) children.push(child);
      }
    }
    if (childCount <= 0) children.push(...contentOf(element));
    const isCell = type === 'TD' || type === 'TH';
    const columnSpan = isCell ? spanOf(element, names.columnSpan) : 1;
    const rowSpan = isCell ? spanOf(element, names.rowSpan) : 1;
    return { type, columnSpan, rowSpan, children };
  };
  const contentOf = (element: number): number[] => {
    const ids: number[] = [];
    const idCount = call.FPDF_StructElement_GetMarkedContentIdCount(element);
    for (let index = 0; index < idCount; index++) {
      const id = call.FPDF_StructElement_GetMarkedContentIdAtIndex(element, index);
      if (id >= 0) ids.push(id);
    }
    return ids;
  };
  const spanOf = (element: number, name: number): number => {
    const attributeCount = call.FPDF_StructElement_GetAttributeCount(element);
    for (let index = 0; index < attributeCount; index++) {
      const attribute = call.FPDF_StructElement_GetAttributeAtIndex(element, index);
      const value = attribute === 0 ? 0 : call.FPDF_StructElement_Attr_GetValue(attribute, name);
      if (value === 0) continue;
      const number = pdfium.floats(1, (at) => call.FPDF_StructElement_Attr_GetNumberValue(value, at as number));
      if (number !== undefined) return Math.min(limits.span, Math.max(1, Math.round(number[0] as number)));
    }
    return 1;
  };

  try {
    const roots: Tag[] = [];
    const rootCount = call.FPDF_StructTree_CountChildren(tree);
    for (let index = 0; index < rootCount; index++) {
      const root = read(call.FPDF_StructTree_GetChildAtIndex(tree, index), 0);
      if (root !== undefined) roots.push(root);
    }
    return roots;
  } finally {
    pdfium.free(names.rowSpan);
    pdfium.free(names.columnSpan);
    call.FPDF_StructTree_Close(tree);
  }
}
