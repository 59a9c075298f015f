import { fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { IngestDocumentsRequestSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { inBatches } from './batches.ts';
import { readReply, uploadBody } from './upload-request.ts';

const header = (path: string) => ({ path, mediaType: '', columns: {}, password: '' });

async function messagesOf(body: Blob) {
  const bytes = new Uint8Array(await body.arrayBuffer());
  const messages = [];
  for (let offset = 0; offset < bytes.length; ) {
    const length = new DataView(bytes.buffer, offset + 1, 4).getUint32(0);
    messages.push(fromBinary(IngestDocumentsRequestSchema, bytes.subarray(offset + 5, offset + 5 + length)).part);
    offset += 5 + length;
  }
  return messages;
}

test('the body is the messages of an upload, with every byte of its files', async () => {
  const large = new Uint8Array(2_500_000).map((_, at) => at % 251);
  const messages = await messagesOf(
    uploadBody({ corpus: 'help', defaultAccess: undefined }, [
      { header: { ...header('a/大.bin'), columns: { q: 'question' } }, content: new Blob([large]) },
      { header: header('empty.txt'), content: new Blob([]) },
    ]),
  );
  expect(messages.map(({ case: kind }) => kind)).toEqual(['start', 'file', 'data', 'data', 'data', 'file']);
  expect(messages[1]).toMatchObject({ value: { path: 'a/大.bin', sizeBytes: 2_500_000n, columns: { q: 'question' } } });
  const data = messages.flatMap((part) => (part.case === 'data' ? [part.value] : []));
  expect(Buffer.concat(data).equals(Buffer.from(large))).toBe(true);
});

test('the reply is the job, or the error of the server', () => {
  const end = (body: string) => Buffer.concat([Buffer.from([2, 0, 0, 0, body.length]), Buffer.from(body)]);
  const accepted = Buffer.from([0, 0, 0, 0, 4, 0x0a, 2, 0x6a, 0x31]);
  expect(readReply(200, Buffer.concat([accepted, end('{}')]))).toBe('j1');
  const refused = () => readReply(200, end('{"error":{"code":"permission_denied","message":"no"}}'));
  expect(refused).toThrow(new ConnectError('no', Code.PermissionDenied));
  expect(() => readReply(502, Buffer.from('<html>'))).toThrow('HTTP 502');
});

test('files come in uploads of bounded size', () => {
  const files = (count: number, size: number) => Array.from({ length: count }, () => ({ content: { size } }));
  expect(inBatches(files(1001, 1)).map(({ length }) => length)).toEqual([500, 500, 1]);
  expect(inBatches(files(3, 40 << 20)).map(({ length }) => length)).toEqual([1, 1, 1]);
  expect(inBatches(files(2, 1 << 30))).toHaveLength(2);
  expect(inBatches([])).toEqual([]);
});
