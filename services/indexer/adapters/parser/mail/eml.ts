import { detectEncoding, markOf } from '../../../parse/encoding/detect.ts';
import { UnreadableError } from '../../../parse/parser.ts';
import type { Message } from './message.ts';

const nestingMax = 32;
const headerBytesMax = 1 << 20;

/** Returns a message of MIME. */
export async function readEml(bytes: Buffer): Promise<Message> {
  const message = await read(bytes);
  return {
    subject: message.subject ?? '',
    from: message.from?.name || message.from?.address || '',
    date: message.date ?? '',
    text: message.text ?? '',
    html: message.html ?? '',
    attachments: message.attachments.map(({ filename, mimeType, disposition, related, content }) => ({
      name: filename ?? (mimeType === 'message/rfc822' ? 'message.eml' : ''),
      mediaType: mimeType.toLowerCase(),
      isInline: related === true || disposition === 'inline',
      bytes: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
    })),
  };
}

async function read(bytes: Buffer) {
  // Some programs save messages as UTF-16, which no header is written in.
  const found = detectEncoding(bytes.subarray(0, 4096), false)?.charset ?? 'utf-8';
  const isMarked = markOf(bytes) !== undefined;
  const raw = found.startsWith('utf-16') || isMarked ? Buffer.from(new TextDecoder(found).decode(bytes)) : bytes;
  if (!/^[\w-]+:/m.test(raw.subarray(0, 4096).toString('latin1'))) {
    throw new UnreadableError('is not a mail message: it has no header');
  }
  const { default: PostalMime } = await import('postal-mime');
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
