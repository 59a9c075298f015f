import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { UnreadableError } from '../../../parse/parser.ts';
import { readTokens } from './tokens.ts';
import { applyWord, emit, type Group, type RtfEvents, type RtfState } from './words.ts';

const depthMax = 2000;
const western = 'windows-1252';

/** Reads an RTF file. Throws UnreadableError if it is none. */
export function readRtf(bytes: Uint8Array, events: RtfEvents): void {
  if (!/^\s*\{\\rtf/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1'))) {
    throw new UnreadableError('is not RTF: save it again, as .docx or .rtf');
  }
  const body: Group = {
    destination: 'body',
    charset: western,
    fallbackCount: 1,
    isHidden: false,
    property: '',
    style: -1,
    font: 0,
  };
  const state: RtfState = {
    open: body,
    outer: [],
    documentCharset: western,
    fontCharsets: new Map(),
    collected: '',
    isOptional: false,
    events,
  };
  const pending = createBytes(state);
  for (const token of readTokens(bytes)) {
    if (token.kind === 'byte') {
      pending.add(token.value);
      continue;
    }
    pending.flush();
    if (token.kind === 'open') openGroup(state);
    else if (token.kind === 'close') closeGroup(state);
    else if (token.name === '*') state.isOptional = true;
    else if (token.name === 'uc') state.open.fallbackCount = Math.max(0, token.value ?? 1);
    else if (token.name !== 'u') applyWord(state, token.name, token.value);
    else emit(state, String.fromCharCode((token.value ?? 63) & 0xffff));
    pending.skip(token.kind === 'word' && token.name === 'u' ? state.open.fallbackCount : 0);
  }
  pending.flush();
}

/** Bytes of one encoding that wait to become text. */
function createBytes(state: RtfState) {
  let bytes: number[] = [];
  let charset = '';
  let skipCount = 0;
  const flush = () => {
    if (bytes.length > 0) emit(state, new TextDecoder(charset).decode(Uint8Array.from(bytes)));
    bytes = [];
  };
  return {
    flush,
    add(byte: number) {
      if (skipCount > 0) {
        skipCount--;
        return;
      }
      if (state.open.charset !== charset) flush();
      ({ charset } = state.open);
      bytes.push(byte);
    },
    /** Ignores the next bytes, which represent a Unicode character. */
    skip(count: number) {
      skipCount = count;
    },
  };
}

function openGroup(state: RtfState): void {
  if (state.outer.length >= depthMax) throw new UnreadableError('is nested too deep', ErrorReason.TOO_LARGE);
  state.outer.push(state.open);
  state.open = { ...state.open };
}

function closeGroup(state: RtfState): void {
  const { open, events, collected } = state;
  const parent = state.outer.pop();
  if (parent === undefined) return;
  state.open = parent;
  if (open.destination === 'styles' && parent.destination === 'styles') {
    events.styleName(Math.max(0, open.style), collected.replace(/;\s*$/, '').trim());
  } else if (open.destination === parent.destination) return;
  else if (open.destination === 'label') events.label(collected);
  else if (open.destination === 'property') events.property(open.property, collected.trim());
  if (open.destination !== 'body' && open.destination !== 'skip') state.collected = '';
}
