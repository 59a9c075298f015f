import { parseDocument } from 'htmlparser2';
import { createTextBuilder } from '../../../parse/blocks.ts';
import { blocksOfText } from '../../../parse/blocks-of-text.ts';
import { cleanText } from '../../../parse/clean.ts';
import { addBlocks } from '../../../parse/html/blocks.ts';
import { createPageView } from '../../../parse/html/view.ts';
import type { Parsed, SourceFile } from '../../../parse/parser.ts';
import { parseWhole } from '../../../parse/whole-document.ts';

/** A mail message, as its format holds it. */
export interface Message {
  subject: string;
  /** Name or address of the sender; empty if unknown. */
  from: string;
  /** Any time that `Date.parse` reads; empty if unknown. */
  date: string;
  text: string;
  html: string;
  attachments: readonly Attachment[];
}

/** A file of a message. */
export interface Attachment {
  name: string;
  mediaType: string;
  /** Whether the text shows it, such as a logo. */
  isInline: boolean;
  bytes: Uint8Array;
}

const attachmentsMax = 500;

/** Yields a message as a document with its subject as the title, then its attachments as files. Of two bodies, the plain one is read. */
export function* parseMessage(file: SourceFile, message: Message): Iterable<Parsed> {
  const { subject, from, date } = message;
  const time = Date.parse(date);
  const values = {
    title: subject,
    ...(from !== '' && { from }),
    ...(!Number.isNaN(time) && { updated: new Date(time).toISOString() }),
  };
  const body = bodyOf(message);
  // A message with nothing but attachments is its subject.
  const text = body.text === '' ? cleanText(subject) : body.text;
  yield* parseWhole(file, { text, blocks: body.text === '' ? blocksOfText(text) : body.blocks, values });
  const names = new Set<string>();
  for (const [index, attachment] of message.attachments.slice(0, attachmentsMax).entries()) {
    const { mediaType, isInline, bytes } = attachment;
    if (isInline && mediaType.startsWith('image/')) continue;
    yield { kind: 'file', file: { path: distinctName(attachment.name, index, names), mediaType, bytes } };
  }
}

function bodyOf({ text, html }: Message) {
  const plain = cleanText(text).trim();
  if (plain !== '' || html === '') return { text: plain, blocks: blocksOfText(plain) };
  const builder = createTextBuilder();
  const document = parseDocument(html);
  addBlocks(builder, document, createPageView(document, { isMain: true, keepsAll: true }));
  return builder.finish();
}

/** Names of attachments come from strangers: they are no paths, and no two are equal. */
function distinctName(given: string, index: number, names: Set<string>): string {
  const clean = cleanText(given)
    .replace(/[/\\\n]/g, '_')
    .replace(/^\.+/, '')
    .trim()
    .slice(-200);
  const name = clean === '' || names.has(clean) ? `${index + 1}-${clean || 'attachment'}` : clean;
  names.add(name);
  return name;
}
