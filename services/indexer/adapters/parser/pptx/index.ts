import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../../parse/blocks.ts';
import { readWhole } from '../../../parse/decode.ts';
import { noted, type Parser, UnreadableError } from '../../../parse/parser.ts';
import { parseWhole } from '../../../parse/whole-document.ts';
import { findAll } from '../../../parse/xml/read-xml.ts';
import { readOfficeProperties } from '../../../parse/zip/office-properties.ts';
import { openZip, zipMax } from '../../../parse/zip/open-zip.ts';
import { createPackage } from '../../../parse/zip/package.ts';
import { onPage } from './paged.ts';
import { addSlide } from './slide.ts';

const parser: Parser = {
  mediaTypes: ['application/vnd.openxmlformats-officedocument.presentationml.presentation'],
  endings: ['.pptx', '.pptm', '.ppsx', '.potx'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const zip = await openZip(await readWhole(bytes, zipMax.bytes));
    const parts = createPackage(zip);
    const presentation = await parts.root('ppt/presentation.xml');
    if (presentation === undefined) throw new UnreadableError('is not a presentation: save it as .pptx');
    const slides = await parts.related('ppt/presentation.xml');
    const builder = createTextBuilder();
    let hiddenCount = 0;
    let number = 0;
    for (const { attributes } of findAll(presentation, 'p:sldId')) {
      const path = slides.find(({ id }) => id === attributes['r:id'])?.path;
      const slide = path === undefined ? undefined : await parts.root(path);
      if (path === undefined || slide === undefined) continue;
      number++;
      if (slide.attributes.show === '0') {
        hiddenCount++;
        continue;
      }
      const notesPath = (await parts.related(path)).find(({ type }) => type.endsWith('/notesSlide'))?.path;
      addSlide(
        onPage(builder, number),
        slide,
        notesPath === undefined ? undefined : await parts.root(notesPath),
        number,
      );
    }
    const { text, blocks } = builder.finish();
    const first = blocks.find(({ heading }) => heading !== undefined && !/^\d+$/.test(heading))?.heading;
    const { title, ...values } = await readOfficeProperties(zip);
    yield* parseWhole(file, { text, blocks, values, title: first || title });
    if (hiddenCount > 0)
      yield noted(NoteKind.HIDDEN_SKIPPED, hiddenCount, 'hidden slides were left out: show them to index them');
  },
};

/** Reads PowerPoint presentations: slides in their order, with the notes of the speaker. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
