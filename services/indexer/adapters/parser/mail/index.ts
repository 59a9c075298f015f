import { defineAdapter } from '#kit/host/config/adapters.ts';
import { readWhole } from '../../../parse/decode.ts';
import type { Parser } from '../../../parse/parser.ts';
import { isOle } from '../../../parse/zip/open-zip.ts';
import { readEml } from './eml.ts';
import { parseMessage } from './message.ts';
import { readMsg } from './msg.ts';

const messageBytesMax = 64 << 20;

const parser: Parser = {
  mediaTypes: ['message/rfc822', 'application/vnd.ms-outlook'],
  endings: ['.eml', '.msg'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const whole = await readWhole(bytes, messageBytesMax);
    yield* parseMessage(file, isOle(whole) ? await readMsg(whole) : await readEml(whole));
  },
};

/** Reads mail messages (MIME, and those that Outlook has saved), and their attachments by their own parsers. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
