import type { Nodes, Root, RootContent } from 'mdast';

/** How many times as long a piece is parsed if one block was longer than it. */
const growth = 8;

/** Blocks of a text that are whole, and the part of the text that their positions count in. */
export interface Piece {
  text: string;
  nodes: RootContent[];
}

/**
 * Parses a text in pieces, since the time and memory of the parser grow faster than the text. What follows a block of Markdown changes none
 * but the last one, so of each piece the last block (or the last entry, of a list) begins the next piece, and the blocks are those of the whole.
 * `parse` returns `undefined` for a piece that it does not take; its text is one without nodes. A link whose definition
 * is in another piece is not resolved.
 */
export function* parseInPieces(
  text: string,
  parse: (piece: string) => Root | undefined,
  pieceLength: number,
): Generator<Piece> {
  let length = pieceLength;
  for (let start = 0; start < text.length; ) {
    const end = endOfLine(text, start + length);
    const piece = text.slice(start, end);
    const root = parse(piece);
    const [whole, rest] =
      root === undefined || end === text.length ? [root?.children ?? [], piece.length] : wholeBlocks(root, piece);
    if (root !== undefined && rest === 0) {
      length *= growth;
      continue;
    }
    yield { text: piece.slice(0, rest), nodes: whole };
    start += rest;
    length = Math.max(pieceLength, length / growth);
  }
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline === -1 ? text.length : newline + 1;
}

/** Returns the blocks that later text does not change, and the offset of the line at which the others begin. */
function wholeBlocks({ children }: Root, piece: string): [whole: RootContent[], rest: number] {
  const last = children.at(-1);
  if (last === undefined) return [[], piece.length];
  if (last.type === 'list' && last.children.length > 1) {
    const entries = last.children.slice(0, -1);
    return [[...children.slice(0, -1), { ...last, children: entries }], lineOf(last.children.at(-1), piece)];
  }
  // Definitions and the text right below them are parsed as one.
  const count = children.findLastIndex(({ type }, at) => at < children.length - 1 && type !== 'definition') + 1;
  return [children.slice(0, count), lineOf(children[count], piece)];
}

/** Returns the offset of the line at which a node begins. */
function lineOf(node: Nodes | undefined, piece: string): number {
  return piece.lastIndexOf('\n', (node?.position?.start.offset ?? 0) - 1) + 1;
}
