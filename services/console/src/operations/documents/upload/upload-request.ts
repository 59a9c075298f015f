import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Code, ConnectError } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';
import {
  type FileHeader,
  IngestDocumentsRequestSchema,
  IngestDocumentsResponseSchema,
  type IngestStart,
} from '#gen/ragmesh/indexer/v1/indexer_pb.ts';

// A browser cannot stream the body of a request, so the clients of Connect do not upload. A body can be a blob that refers to files,
// and the browser reads those while it sends them: the messages of the upload in their envelopes, with the files between.

/** Largest number of bytes in a message; the contract allows 1 MiB. */
const partBytes = 1_048_576;

/** A file to upload. */
export interface UploadFile {
  header: Pick<FileHeader, 'path' | 'mediaType' | 'columns' | 'password'>;
  content: Blob;
}

/** Returns the body of `IngestDocuments` with these files. The files are read when it is sent. */
export function uploadBody(start: Pick<IngestStart, 'corpus' | 'defaultAccess'>, files: readonly UploadFile[]): Blob {
  const parts: BlobPart[] = [envelope(encode({ case: 'start', value: { ...start, deleteMissing: false } }))];
  for (const { header, content } of files) {
    parts.push(envelope(encode({ case: 'file', value: { ...header, sizeBytes: BigInt(content.size) } })));
    for (let offset = 0; offset < content.size; offset += partBytes) {
      const data = content.slice(offset, offset + partBytes);
      const prefix = dataPrefix(data.size);
      parts.push(envelopeHead(prefix.byteLength + data.size), prefix, data);
    }
  }
  return new Blob(parts);
}

type Part = Parameters<typeof create<typeof IngestDocumentsRequestSchema>>[1] extends infer Init
  ? Init extends { part?: infer P }
    ? P
    : never
  : never;

const encode = (part: Part) => toBinary(IngestDocumentsRequestSchema, create(IngestDocumentsRequestSchema, { part }));

/** What is before the bytes of a file in a message: the tag of the field `data`, and the number of bytes. */
function dataPrefix(bytes: number): Uint8Array<ArrayBuffer> {
  const { number } = IngestDocumentsRequestSchema.field.data;
  return new Uint8Array(new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(bytes).finish());
}

function envelopeHead(bytes: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, bytes);
  return head;
}

const envelope = (message: Uint8Array) => new Blob([envelopeHead(message.byteLength), new Uint8Array(message)]);

/** Sends an upload and returns the id of its job. Throws a ConnectError. */
export function sendUpload(
  url: string,
  apiKey: string,
  body: Blob,
  { onProgress, signal }: { onProgress: (sentBytes: number) => void; signal: AbortSignal },
): Promise<string> {
  // fetch does not say how much it has sent.
  const request = new XMLHttpRequest();
  request.open('POST', url);
  request.responseType = 'arraybuffer';
  request.setRequestHeader('content-type', 'application/connect+proto');
  request.setRequestHeader('connect-protocol-version', '1');
  request.setRequestHeader('authorization', `Bearer ${apiKey}`);
  request.upload.addEventListener('progress', ({ loaded }) => onProgress(loaded));
  const stop = () => request.abort();
  signal.addEventListener('abort', stop, { once: true });
  return new Promise<string>((resolve, reject) => {
    request.addEventListener('load', () => {
      try {
        resolve(readReply(request.status, new Uint8Array(request.response as ArrayBuffer)));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener('error', () =>
      reject(new ConnectError('the connection was lost', Code.Unavailable, undefined, undefined, new TypeError())),
    );
    request.addEventListener('abort', () => reject(new ConnectError('the upload was stopped', Code.Canceled)));
    request.send(body);
  }).finally(() => signal.removeEventListener('abort', stop));
}

/** Reads the reply to an upload: a message, then the end of the stream with an error if there was one. */
export function readReply(status: number, bytes: Uint8Array): string {
  if (status !== 200) throw new ConnectError(`HTTP ${status}`, Code.Unavailable);
  let jobId = '';
  for (let offset = 0; offset + 5 <= bytes.byteLength; ) {
    const flags = bytes[offset] ?? 0;
    const length = new DataView(bytes.buffer, bytes.byteOffset + offset + 1, 4).getUint32(0);
    const message = bytes.subarray(offset + 5, offset + 5 + length);
    if ((flags & 2) === 0) jobId = fromBinary(IngestDocumentsResponseSchema, message).jobId;
    else throwError(JSON.parse(new TextDecoder().decode(message)));
    offset += 5 + length;
  }
  if (jobId === '') throw new ConnectError(`HTTP ${status}`, Code.Unavailable);
  return jobId;
}

function throwError(end: unknown): void {
  if (typeof end !== 'object' || end === null || !('error' in end)) return;
  const { code, message } = end.error as { code?: string; message?: string };
  throw new ConnectError(message ?? '', codeFromString(code ?? '') ?? Code.Unknown);
}
