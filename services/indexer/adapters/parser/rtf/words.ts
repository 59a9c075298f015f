import { charsetOfCodePage } from '../../../parse/encoding/code-pages.ts';

/** What a reader of RTF notifies, in the order of the file. */
export interface RtfEvents {
  text(text: string): void;
  paragraph(): void;
  /** The words before are the label of the paragraph that begins. */
  label(text: string): void;
  /** Of the paragraph: its style, or the level of its heading from 1. */
  style(index: number): void;
  outline(level: number): void;
  paragraphStart(): void;
  cell(): void;
  row(): void;
  inTable(): void;
  rowStart(): void;
  /** A value of the document's properties. */
  property(name: string, value: string): void;
  /** A style of the style sheet. */
  styleName(index: number, name: string): void;
  hidden(): void;
}

/** What a group does with its text. */
export type Destination = 'body' | 'skip' | 'label' | 'info' | 'property' | 'styles' | 'fonts';

/** Formatting ends with its group. */
export interface Group {
  destination: Destination;
  /** Encoding of its bytes. */
  charset: string;
  /** Bytes after a Unicode character that represent it in old readers. */
  fallbackCount: number;
  isHidden: boolean;
  property: string;
  style: number;
  font: number;
}

/** The state of a reader. */
export interface RtfState {
  open: Group;
  readonly outer: Group[];
  documentCharset: string;
  readonly fontCharsets: Map<number, string>;
  /** Text of a destination that is not the body. */
  collected: string;
  /** The next word names a destination that a reader may not know. */
  isOptional: boolean;
  readonly events: RtfEvents;
}

/** Code pages of the character sets of fonts. */
const fontCodePages = new Map([
  [77, 10000],
  [128, 932],
  [129, 949],
  [134, 936],
  [136, 950],
  [161, 1253],
  [162, 1254],
  [163, 1258],
  [177, 1255],
  [178, 1256],
  [186, 1257],
  [204, 1251],
  [222, 874],
  [238, 1250],
]);
const skipped = new Set(
  'colortbl pict object header headerl headerr headerf footer footerl footerr footerf fldinst generator listtable listoverridetable rsidtbl themedata colorschememapping datastore latentstyles filetbl revtbl xmlnstbl sp bkmkstart bkmkend pnseclvl template fontemb annotation atnid atnauthor nonshppict'.split(
    ' ',
  ),
);
/** Destinations that are marked as optional and hold text. */
const optional = new Set(['shpinst', 'shptxt', 'shppict', 'pn', 'listtext']);
const properties = new Set(['title', 'author', 'keywords', 'category']);
const symbols: Readonly<Record<string, string>> = {
  tab: '\t',
  line: '\n',
  emdash: '—',
  endash: '–',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  bullet: '•',
  emspace: ' ',
  enspace: ' ',
  '~': ' ',
  _: '-',
};

/** Sends text to the destination of its group. */
export function emit(state: RtfState, text: string): void {
  const { destination, isHidden } = state.open;
  if (destination === 'label' || destination === 'property' || destination === 'styles') state.collected += text;
  else if (destination !== 'body') return;
  else if (isHidden) state.events.hidden();
  else state.events.text(text);
}

/** Applies a control word. */
export function applyWord(state: RtfState, name: string, value: number | undefined): void {
  const { open, isOptional } = state;
  state.isOptional = false;
  if (open.destination === 'skip') return;
  if ((isOptional && !optional.has(name)) || skipped.has(name)) open.destination = 'skip';
  else if (open.destination === 'info' && properties.has(name)) {
    enter(state, 'property');
    open.property = name;
  } else if (destinations[name] !== undefined) enter(state, destinations[name]);
  else if (symbols[name] !== undefined) emit(state, symbols[name]);
  else if (open.destination === 'fonts') applyFont(state, name, value);
  else if (open.destination === 'styles') open.style = name === 's' ? (value ?? 0) : open.style;
  else if (!applyFormat(state, name, value)) applyStructure(state, name, value);
}

const destinations: Readonly<Record<string, Destination>> = {
  fonttbl: 'fonts',
  stylesheet: 'styles',
  listtext: 'label',
  pntext: 'label',
  info: 'info',
};

function enter(state: RtfState, destination: Destination): void {
  state.open.destination = destination;
  state.collected = '';
}

function applyFont({ open, fontCharsets }: RtfState, name: string, value: number | undefined): void {
  if (name === 'f') open.font = value ?? 0;
  const codePage = name === 'cpg' ? value : name === 'fcharset' ? fontCodePages.get(value ?? 0) : undefined;
  const charset = codePage === undefined ? undefined : charsetOfCodePage(codePage);
  if (charset !== undefined) fontCharsets.set(open.font, charset);
}

/** Applies a word that changes how bytes are read; reports whether it was one. */
function applyFormat(state: RtfState, name: string, value: number | undefined): boolean {
  const { open } = state;
  switch (name) {
    case 'ansicpg':
    case 'mac':
      state.documentCharset = charsetOfCodePage(name === 'mac' ? 10000 : (value ?? 1252)) ?? state.documentCharset;
      open.charset = state.documentCharset;
      return true;
    case 'f':
    case 'af':
      open.charset = state.fontCharsets.get(value ?? 0) ?? state.documentCharset;
      return true;
    case 'plain':
      open.isHidden = false;
      open.charset = state.documentCharset;
      return true;
    case 'v':
    case 'deleted':
      open.isHidden = value !== 0;
      return true;
    default:
      return false;
  }
}

function applyStructure({ open, events }: RtfState, name: string, value: number | undefined): void {
  if (open.destination === 'body') structure[name]?.(events, value);
}

const structure: Readonly<Record<string, (events: RtfEvents, value: number | undefined) => void>> = {
  par: (events) => events.paragraph(),
  sect: (events) => events.paragraph(),
  page: (events) => events.paragraph(),
  '\n': (events) => events.paragraph(),
  '\r': (events) => events.paragraph(),
  pard: (events) => events.paragraphStart(),
  s: (events, value) => events.style(value ?? 0),
  outlinelevel: (events, value) => events.outline((value ?? 9) + 1),
  cell: (events) => events.cell(),
  nestcell: (events) => events.cell(),
  row: (events) => events.row(),
  nestrow: (events) => events.row(),
  trowd: (events) => events.rowStart(),
  intbl: (events) => events.inTable(),
};
