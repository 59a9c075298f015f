import { create, type DescMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf';

/** Returns `message` itself if it is a whole message, and otherwise the message that it is the initial value of. */
export function wholeMessage(schema: DescMessage, message: unknown): Message {
  const isWhole = (message as Message | undefined)?.$typeName === schema.typeName;
  return isWhole ? (message as Message) : create(schema, message as MessageInitShape<DescMessage>);
}
