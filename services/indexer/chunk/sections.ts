import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { Block } from '../parse/blocks.ts';
import { clip } from '../parse/clean.ts';

/** A block with its length. */
export interface MeasuredBlock extends Block {
  tokens: number;
}

/** Blocks that belong together: those under one heading, or small adjacent sections under one parent. */
export interface Section {
  /** Its own heading and those above it, outermost first. */
  path: string[];
  blocks: MeasuredBlock[];
  tokens: number;
}

/** A section below this share of the target is joined with an adjacent one: alone it is too short to be found. */
const smallShare = 0.15;
const pathLengthMax = 16;
const headingLengthMax = 256;

/** Returns the sections of a document, in order. Together they hold every block. */
export function sectionsOf(text: string, blocks: readonly Block[], title: string, targetTokens: number): Section[] {
  const sections = attachBareHeadings(splitAtHeadings(text, blocks, title));
  const joined: Section[] = [];
  for (const section of sections) {
    const last = joined.at(-1);
    if (last !== undefined && belongTogether(last, section, targetTokens)) append(last, section);
    else joined.push(section);
  }
  return joined;
}

function splitAtHeadings(text: string, blocks: readonly Block[], title: string): Section[] {
  const sections: Section[] = [];
  const above: { level: number; heading: string }[] = [];
  let open: Section | undefined;
  for (const block of blocks) {
    const measured = { ...block, tokens: estimateTokens(text.slice(block.start, block.end)) };
    if (block.kind === 'heading') {
      const level = block.level ?? 1;
      while (above.length > 0 && (above.at(-1)?.level ?? 0) >= level) above.pop();
      above.push({ level, heading: clip(block.heading ?? '', headingLengthMax) });
      open = undefined;
    }
    if (open === undefined) {
      open = { path: pathOf(above, title), blocks: [], tokens: 0 };
      sections.push(open);
    }
    open.blocks.push(measured);
    open.tokens += measured.tokens;
  }
  return sections;
}

function pathOf(above: readonly { heading: string }[], title: string): string[] {
  const path = above.map(({ heading }) => heading);
  // The title is always shown with the path.
  return (path[0] === title ? path.slice(1) : path).slice(0, pathLengthMax);
}

/** Joins a heading that has only further headings below it with the first section of those. */
function attachBareHeadings(sections: readonly Section[]): Section[] {
  const attached: Section[] = [];
  let bare: Section | undefined;
  for (const section of sections) {
    const { path } = section;
    let whole = section;
    if (bare !== undefined && startsWith(path, bare.path)) {
      append(bare, section);
      whole = bare;
      whole.path = path;
    } else if (bare !== undefined) attached.push(bare);
    // What it was joined with has only headings.
    if (section.blocks.every(({ kind }) => kind === 'heading')) bare = whole;
    else {
      bare = undefined;
      attached.push(whole);
    }
  }
  if (bare !== undefined) attached.push(bare);
  return attached;
}

function belongTogether(before: Section, after: Section, targetTokens: number): boolean {
  const small = targetTokens * smallShare;
  if (before.tokens >= small && after.tokens >= small) return false;
  if (before.tokens + after.tokens > targetTokens) return false;
  const parent = after.path.slice(0, -1);
  // Two sections under one heading, or an introduction and the first section that it introduces.
  return isEqual(parent, before.path.slice(0, -1)) || isEqual(parent, before.path);
}

/** Adds the blocks of the next section to a section, whose path becomes what both share. Costs as much as the added one is long. */
function append(section: Section, next: Section): void {
  let shared = 0;
  while (shared < section.path.length && section.path[shared] === next.path[shared]) shared++;
  section.path = section.path.slice(0, shared);
  for (const block of next.blocks) section.blocks.push(block);
  section.tokens += next.tokens;
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return path.length >= start.length && start.every((heading, index) => path[index] === heading);
}

function isEqual(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && startsWith(one, other);
}
