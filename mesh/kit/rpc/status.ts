import { create, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { type Code, ConnectError } from '@connectrpc/connect';
import { type Status, StatusSchema } from '#gen/google/rpc/status_pb.ts';

// An error with its details, as google.rpc.Status has them.

/** Returns an error as a status: code, message and details. */
export function toStatus(error: ConnectError): Status {
  const { code, rawMessage: message, details } = error;
  return create(StatusSchema, { code, message, details: details.map(toAny) });
}

/** Returns the error of a status. `metadata`: headers and trailers that came with it. */
export function fromStatus({ code, message, details }: Status, metadata?: Headers): ConnectError {
  const error = new ConnectError(message, code as Code, metadata);
  error.details = fromDetails(details);
  return error;
}

/** Returns the details of a status as an error has them. */
export function fromDetails(details: readonly Any[]): ConnectError['details'] {
  return details.map(({ typeUrl, value }) => ({ type: typeUrl.split('/').at(-1) ?? '', value }));
}

function toAny(detail: ConnectError['details'][number]): { typeUrl: string; value: Uint8Array } {
  if ('desc' in detail) {
    const message = create(detail.desc, detail.value);
    return { typeUrl: `type.googleapis.com/${detail.desc.typeName}`, value: toBinary(detail.desc, message) };
  }
  return { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value };
}
