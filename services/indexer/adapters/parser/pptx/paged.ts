import type { TextBuilder } from '../../../parse/blocks.ts';

/** Returns a builder whose blocks are on a page. */
export function onPage(builder: TextBuilder, page: number): TextBuilder {
  const regions = [{ page, left: 0, top: 0, right: 0, bottom: 0 }];
  return {
    add: (kind, text) => builder.add(kind, text, regions),
    addHeading: (level, words) => builder.addHeading(level, words, regions),
    finish: () => builder.finish(),
  };
}
