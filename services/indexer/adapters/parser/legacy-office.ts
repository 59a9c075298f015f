import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';

/** What each format can be saved as by its program. */
const successors: Readonly<Record<string, string>> = {
  '.doc': '.docx',
  '.dot': '.docx',
  '.wps': '.docx',
  '.pages': '.docx',
  '.ppt': '.pptx',
  '.pps': '.pptx',
  '.dps': '.pptx',
  '.key': '.pptx',
  '.et': '.xlsx',
  '.numbers': '.xlsx',
};

const parser: Parser = {
  mediaTypes: ['application/msword', 'application/vnd.ms-powerpoint', 'application/vnd.ms-works'],
  endings: Object.keys(successors),
  isList: false,
  async *parse({ path }) {
    const ending = Object.keys(successors).find((known) => path.toLowerCase().endsWith(known));
    const successor = (ending === undefined ? undefined : successors[ending]) ?? '.docx or .pptx';
    const message = `this format cannot be read: open it in its program and save it as ${successor}, or as PDF`;
    throw new UnreadableError(message, ErrorReason.MEDIA_TYPE_UNSUPPORTED);
  },
};

/** Knows formats that cannot be read, to say what to do. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
