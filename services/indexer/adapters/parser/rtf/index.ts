import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../../parse/blocks.ts';
import { readWhole } from '../../../parse/decode.ts';
import { noted, type Parser } from '../../../parse/parser.ts';
import { addGrid, type GridCell, type GridRow } from '../../../parse/table/grid.ts';
import { firstHeading, parseWhole } from '../../../parse/whole-document.ts';
import { readRtf } from './reader.ts';
import type { RtfEvents } from './words.ts';

/** Pictures are written as text, so files are much larger than their words. */
const fileBytesMax = 64 << 20;
const cellsMax = 200;

const parser: Parser = {
  mediaTypes: ['application/rtf', 'text/rtf'],
  endings: ['.rtf'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const collector = createCollector();
    readRtf(await readWhole(bytes, fileBytesMax), collector.events);
    const { text, blocks, values, hiddenCount } = collector.finish();
    const { title, ...others } = values;
    yield* parseWhole(file, { text, blocks, values: others, title: firstHeading(blocks) ?? title });
    if (hiddenCount > 0) {
      yield noted(NoteKind.HIDDEN_SKIPPED, hiddenCount, 'hidden text was left out: make it visible to index it');
    }
  },
};

function createCollector() {
  const builder = createTextBuilder();
  const styles = new Map<number, string>();
  const values: Record<string, string> = {};
  let rows: GridRow[] = [];
  let cells: GridCell[] = [];
  let words = '';
  let label = '';
  let level: number | undefined;
  let isInTable = false;
  let hiddenCount = 0;

  const flushTable = () => {
    if (rows.length > 0) addGrid(builder, rows);
    rows = [];
  };
  const endParagraph = () => {
    const text = words.replaceAll('\t', ' ').trim();
    const marker = label.replace(/\s+/g, ' ').trim();
    words = '';
    label = '';
    if (isInTable) {
      // Paragraphs of a cell are lines of it.
      if (text !== '') words = `${text}\n`;
      return;
    }
    if (text === '') return;
    flushTable();
    if (level !== undefined) builder.addHeading(level, marker === '' ? text : `${marker} ${text}`);
    else if (marker !== '') builder.add('list-item', `${/^[\p{L}\p{N}(（]/u.test(marker) ? marker : '-'} ${text}`);
    else builder.add('paragraph', text);
  };
  const events: RtfEvents = {
    text: (text) => {
      words += text;
    },
    paragraph: endParagraph,
    label: (text) => {
      label += text;
    },
    style(index) {
      const number = /^(?:heading|标题)\s*(\d)/i.exec(styles.get(index) ?? '')?.[1];
      if (number !== undefined) level = Math.min(Number(number), 6);
    },
    outline(outer) {
      if (outer <= 9) level = Math.min(outer, 6);
    },
    paragraphStart() {
      level = undefined;
      isInTable = false;
    },
    inTable() {
      isInTable = true;
    },
    rowStart() {
      if (!isInTable) endParagraph();
      isInTable = true;
    },
    cell() {
      const text = words.trim();
      words = '';
      label = '';
      if (cells.length < cellsMax) cells.push({ text, columnSpan: 1, rowSpan: 1 });
    },
    row() {
      if (cells.length > 0) rows.push({ cells, isHeader: false });
      cells = [];
      isInTable = false;
    },
    property(name, value) {
      // Programs write question marks for what their code page lacks.
      if (!/^[?\s]*$/.test(value)) values[name] = value;
    },
    styleName: (index, name) => void styles.set(index, name),
    hidden() {
      hiddenCount++;
    },
  };
  return {
    events,
    finish() {
      isInTable = false;
      endParagraph();
      flushTable();
      return { ...builder.finish(), values, hiddenCount };
    },
  };
}

/** Reads RTF: code pages of fonts, Unicode, lists, headings by style, tables. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
