import { type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { type Message, type Part, Role, type SendMessageRequest } from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { AskRequestSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { fields, fieldsAmongOthers, flag, list, text, word } from '../http/fields.ts';
import { badField, given, parseFields } from '../http/parse-fields.ts';
import { languagesByWord } from '../sse/answer-json.ts';
import { a2aError } from './errors.ts';

/** Media type of an answer's text, and of what it cites. */
export const markdownType = 'text/markdown';
export const jsonType = 'application/json';

/** A message as chat takes it. */
export interface Question {
  ask: MessageInitShape<typeof AskRequestSchema>;
  /** Whether the caller takes JSON beside the text. */
  takesJson: boolean;
}

const metadataSchema = fieldsAmongOthers({
  corpora: list(text({ min: 1, max: 64 }), { max: 32 }).nullish(),
  language: word(languagesByWord).nullish(),
});

const dataSchema = fields({ tool_decision: fields({ call_id: text({ min: 1, max: 64 }), approved: flag }) });

/** Reads a message as a question. Throws CONTENT_TYPE_NOT_SUPPORTED for files and for output that an answer has not. */
export function toQuestion({ message, configuration, metadata }: SendMessageRequest & { message: Message }): Question {
  if (configuration?.taskPushNotificationConfig !== undefined) throw noPushNotifications();
  if (message.role === Role.AGENT) throw badField('message.role', 'is that of the agent: callers send ROLE_USER');
  const modes = (configuration?.acceptedOutputModes ?? []).map(
    (mode) => mode.split(';')[0]?.trim().toLowerCase() ?? '',
  );
  const takes = (type: string) => modes.length === 0 || modes.some((mode) => covers(mode, type));
  if (!takes(markdownType) && !takes('text/plain') && !takes(jsonType)) {
    throw a2aError(
      'CONTENT_TYPE_NOT_SUPPORTED',
      `answers are ${markdownType} and ${jsonType}: accept one of them, or name no output modes`,
    );
  }
  const texts: string[] = [];
  let toolDecision: { callId: string; approved: boolean } | undefined;
  for (const [index, part] of message.parts.entries()) {
    const read = readPart(part, index);
    if (typeof read === 'string') texts.push(read);
    else toolDecision = read;
  }
  const said = texts.join('\n');
  const { corpora, language } = parseFields(metadataSchema, metadata ?? {}, 'metadata');
  return {
    ask: {
      question: said === '' && toolDecision !== undefined ? (toolDecision.approved ? 'yes' : 'no') : said,
      ...(message.contextId === '' ? { createSession: true } : { sessionId: message.contextId }),
      corpora: corpora ?? [],
      ...given('language', language),
      ...given('toolDecision', toolDecision),
    },
    takesJson: takes(jsonType),
  };
}

/** The error of everything about push notifications. */
export function noPushNotifications() {
  return a2aError(
    'PUSH_NOTIFICATION_NOT_SUPPORTED',
    'no push notifications are sent: follow a task by SubscribeToTask',
  );
}

function readPart({ content, mediaType }: Part, index: number): string | { callId: string; approved: boolean } {
  const path = `message.parts[${index}]`;
  switch (content.case) {
    case 'text':
      if (mediaType !== '' && !mediaType.startsWith('text/')) throw unsupported(path, mediaType);
      return content.value;
    case 'data': {
      const { tool_decision } = parseFields(dataSchema, toJson(ValueSchema, content.value), `${path}.data`);
      return { callId: tool_decision.call_id, approved: tool_decision.approved };
    }
    case 'raw':
    case 'url':
      throw unsupported(path, mediaType || 'a file');
    case undefined:
      throw badField(path, 'has no content');
    default:
      return content satisfies never;
  }
}

function unsupported(path: string, what: string) {
  return a2aError('CONTENT_TYPE_NOT_SUPPORTED', `${path} is ${what}: questions for the documents are text`);
}

function covers(mode: string, type: string): boolean {
  return mode === type || mode === '*/*' || (mode.endsWith('/*') && type.startsWith(mode.slice(0, -1)));
}
