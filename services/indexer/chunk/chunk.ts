import { labelsOf } from '#kit/personal-data/seal.ts';
import { detectLanguage, type Language } from '#kit/text/language.ts';
import type { Block, PageRegion } from '../parse/blocks.ts';
import { type ChunkOptions, cutSection } from './cut.ts';
import { createRegionFinder } from './regions.ts';
import { sectionsOf } from './sections.ts';

/** Version of the algorithm. It is part of every content hash, so a new version also re-indexes unchanged documents. */
export const chunkerVersion = 1;

/** A chunk as a range of its document's text. */
export interface Chunk {
  /** Start, in UTF-16 code units. */
  start: number;
  /** End, exclusive. */
  end: number;
  /** Headings above it, outermost first. */
  headingPath: string[];
  language: Language;
  /** Places on the pages of the document; absent if the document has no pages. */
  regions?: readonly PageRegion[];
  /** How far a person has raised it in searches, -1 to 1; absent if no one has. */
  boost?: number;
  /** What a model has written about it, and which one was asked for what; absent if none has. */
  context?: { by: string; text: string };
}

/**
 * Returns the chunks of a document, in the order of the text. Chunks follow the structure: a section with its headings is one
 * chunk if it fits; small sections under one parent share a chunk; a section that is too long is cut between its blocks, else
 * between sentences, else between words, into parts of similar length that overlap. A table row is cut only if it alone is too
 * long. Every visible character is in a chunk, and no chunk splits a character.
 */
export function chunkText(text: string, blocks: readonly Block[], title: string, options: ChunkOptions): Chunk[] {
  const regionsOf = createRegionFinder(blocks);
  return sectionsOf(text, blocks, title, options.targetTokens).flatMap((section) =>
    cutSection(text, section, options).map(({ start, end }) => ({
      start,
      end,
      headingPath: section.path,
      // Sealed masks are letters of no language.
      language: detectLanguage(labelsOf(text.slice(start, end))),
      ...regionsOf(start, end),
    })),
  );
}
