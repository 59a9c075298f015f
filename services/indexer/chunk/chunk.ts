import { detectLanguage, type Language } from '#kit/text/language.ts';
import type { Block } from '../parse/blocks.ts';
import { cutSection } from './cut.ts';
import { sectionsOf } from './sections.ts';

/** Version of the algorithm: part of every content hash, so that a better chunker reaches documents that did not change. */
export const chunkerVersion = 1;

/** How chunks are made. */
export interface ChunkOptions {
  /** Aimed length, in estimated tokens. */
  targetTokens: number;
  /** What a chunk repeats of the one before where a section had to be cut, in estimated tokens. */
  overlapTokens: number;
}

/** A chunk as a range of its document's text. */
export interface Chunk {
  /** Start, in UTF-16 code units. */
  start: number;
  /** End, exclusive. */
  end: number;
  /** Headings above it, outermost first. */
  headingPath: string[];
  language: Language;
}

/**
 * Cuts a document into chunks along its structure. A section with its headings is a chunk where it fits; small neighbours under
 * one parent share one; a section that is too long is cut between its blocks, else between sentences, else between words, into
 * parts of like length that overlap. A table row is never cut unless it alone is too long. Every visible character is in a chunk,
 * no chunk splits a character, and chunks come in the order of the text.
 */
export function chunkText(text: string, blocks: readonly Block[], title: string, options: ChunkOptions): Chunk[] {
  return sectionsOf(text, blocks, title, options.targetTokens).flatMap((section) =>
    cutSection(text, section, options).map(({ start, end }) => ({
      start,
      end,
      headingPath: section.path,
      language: detectLanguage(text.slice(start, end)),
    })),
  );
}
