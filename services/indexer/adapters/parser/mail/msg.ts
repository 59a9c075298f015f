import { decodeWhole } from '../../../parse/decode.ts';
import { charsetOfCodePage } from '../../../parse/encoding/code-pages.ts';
import { UnreadableError } from '../../../parse/parser.ts';
import type { Attachment, Message } from './message.ts';

/** Returns a message that Outlook has saved. */
export async function readMsg(bytes: Buffer): Promise<Message> {
  const { fields, attachments } = await read(bytes);
  return {
    subject: fields.subject ?? '',
    from: fields.senderName ?? fields.senderEmail ?? '',
    date: fields.clientSubmitTime ?? fields.messageDeliveryTime ?? '',
    text: fields.body ?? '',
    html: fields.bodyHtml ?? htmlOf(fields.html, fields.internetCodepage),
    attachments,
  };
}

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
