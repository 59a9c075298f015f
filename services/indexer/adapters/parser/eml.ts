import PostalMime from 'postal-mime';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { readWhole } from '../../parse/decode.ts';
import { detectEncoding, markOf } from '../../parse/encoding.ts';
import { parseMessage } from '../../parse/message/message.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';

const messageBytesMax = 64 << 20;
const nestingMax = 32;
const headerBytesMax = 1 << 20;

const parser: Parser = {
  mediaTypes: ['message/rfc822'],
  endings: ['.eml'],
  // A message with its attachments is many documents.
  isList: false,
  async *parse(file, bytes) {
    const message = await read(await readWhole(bytes, messageBytesMax));
    const from = message.from?.name || message.from?.address || '';
    yield* parseMessage(file, {
      subject: message.subject ?? '',
      from,
      date: message.date ?? '',
      text: message.text ?? '',
      html: message.html ?? '',
      attachments: message.attachments.map(({ filename, mimeType, disposition, related, content }) => ({
        name: filename ?? (mimeType === 'message/rfc822' ? 'message.eml' : ''),
        mediaType: mimeType.toLowerCase(),
        isInline: related === true || disposition === 'inline',
        bytes: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
      })),
    });
  },
};

async function read(bytes: Buffer) {
  // Some programs save messages as UTF-16, which no header is written in.
  const found = detectEncoding(bytes.subarray(0, 4096), false)?.charset ?? 'utf-8';
  const isMarked = markOf(bytes) !== undefined;
  const raw = found.startsWith('utf-16') || isMarked ? Buffer.from(new TextDecoder(found).decode(bytes)) : bytes;
  if (!/^[\w-]+:/m.test(raw.subarray(0, 4096).toString('latin1'))) {
    throw new UnreadableError('is not a mail message: it has no header');
  }
  try {
    return await PostalMime.parse(raw, {
      forceRfc822Attachments: true,
      maxNestingDepth: nestingMax,
      maxHeadersSize: headerBytesMax,
    });
  } catch {
    throw new UnreadableError('is not a mail message that can be read: save it again with its program');
  }
}

/** Reads mail messages (MIME), and their attachments by their own parsers. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
