import { defineAdapter } from '#kit/host/config/adapters.ts';
import { charsetOfCodePage } from '../../parse/code-pages.ts';
import { decodeWhole, readWhole } from '../../parse/decode.ts';
import { type Attachment, parseMessage } from '../../parse/message/message.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';
import { isOle } from '../../parse/zip/open-zip.ts';

const messageBytesMax = 64 << 20;

const parser: Parser = {
  mediaTypes: ['application/vnd.ms-outlook'],
  endings: ['.msg'],
  isList: false,
  isolation: 'process',
  async *parse(file, bytes) {
    const whole = await readWhole(bytes, messageBytesMax);
    if (!isOle(whole)) throw new UnreadableError('is not an Outlook message: save it as .eml');
    const { fields, attachments } = await read(whole);
    yield* parseMessage(file, {
      subject: fields.subject ?? '',
      from: fields.senderName ?? fields.senderEmail ?? '',
      date: fields.clientSubmitTime ?? fields.messageDeliveryTime ?? '',
      text: fields.body ?? '',
      html: fields.bodyHtml ?? htmlOf(fields.html, fields.internetCodepage),
      attachments,
    });
  },
};

async function read(bytes: Buffer) {
  // The package is CommonJS: its class is the default of its default.
  const { default: packaged } = await import('@kenjiuno/msgreader');
  const MsgReader = packaged.default;
  const open = (ansiEncoding?: string) => {
    const reader = new MsgReader(new Uint8Array(bytes).buffer);
    if (ansiEncoding !== undefined) reader.parserConfig = { ansiEncoding };
    return { reader, fields: reader.getFileData() };
  };
  try {
    const first = open();
    // Texts that are not Unicode are in the code page of the message, which only the message says.
    const codePage = first.fields.internetCodepage;
    const { reader, fields } = isAnsi(codePage) ? open(String(codePage)) : first;
    if (fields.error !== undefined) throw new Error(fields.error);
    const attachments = (fields.attachments ?? []).map((field): Attachment => {
      const { fileName, content } = reader.getAttachment(field);
      const mediaType = field.attachMimeTag ?? '';
      return {
        name: fileName,
        mediaType: mediaType.toLowerCase(),
        isInline: field.attachmentHidden === true,
        bytes: content,
      };
    });
    return { fields, attachments };
  } catch {
    throw new UnreadableError('is not an Outlook message that can be read: save it as .eml');
  }
}

function isAnsi(codePage: number | undefined): boolean {
  return codePage !== undefined && codePage !== 65001 && charsetOfCodePage(codePage) !== undefined;
}

function htmlOf(html: Uint8Array | undefined, codePage: number | undefined): string {
  if (html === undefined) return '';
  return decodeWhole(html, undefined, () => (codePage === undefined ? undefined : charsetOfCodePage(codePage))).text;
}

/** Reads messages that Outlook has saved, and their attachments by their own parsers. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
