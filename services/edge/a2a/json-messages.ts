import { type DescMessage, fromJson, type JsonObject, type JsonValue, type Message, toJson } from '@bufbuild/protobuf';
import { ListTasksResponseSchema } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';

/** Returns a message of a request in JSON. Fields that are not known here are passed over. Throws INVALID_ARGUMENT. */
export function readMessage(schema: DescMessage, json: unknown): Message {
  try {
    return fromJson(schema, json as JsonValue, { ignoreUnknownFields: true });
  } catch (cause) {
    throw invalidArgument(`the message does not fit: ${(cause as Error).message}`, { cause });
  }
}

/** Returns a message in JSON. */
export function toMessageJson(schema: DescMessage, message: Message): JsonValue {
  const json = toJson(schema, message);
  // The protocol requires these fields; protobuf's JSON mapping leaves out what is empty.
  return schema === ListTasksResponseSchema
    ? { ...{ tasks: [], nextPageToken: '', totalSize: 0 }, ...(json as JsonObject) }
    : json;
}
