import { createFileRegistry, type DescEnumValue, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** Returns the catalogue of errors as Markdown: one row for each reason of the contract. `image`: the output of `buf build`. */
export function renderErrors(image: Uint8Array): string {
  const reasons = createFileRegistry(fromBinary(FileDescriptorSetSchema, image)).getEnum(
    'ragmesh.common.v1.ErrorReason',
  );
  if (reasons === undefined) throw new Error('the image has no ragmesh.common.v1.ErrorReason');
  const rows = reasons.values.filter(({ number }) => number !== 0).map(toRow);
  return [
    '# Errors',
    '',
    'Every error of an rpc has a gRPC status code and `google.rpc.ErrorInfo` with domain `ragmesh` and one of these reasons. Some add',
    '`google.rpc.RetryInfo` (when to try again), `google.rpc.BadRequest` (which field) or `google.rpc.QuotaFailure`. A client decides by',
    'code and reason, never by the message. Retry only UNAVAILABLE and RESOURCE_EXHAUSTED, and only reads.',
    '',
    'This page is generated from `proto/ragmesh/common/v1/errors.proto` (`npm run reference:render`).',
    '',
    '| reason | code | meaning |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function toRow(value: DescEnumValue): string {
  const comment = commentOf(value);
  const [, code = '', meaning = comment] = /^([A-Z_]+(?: or [A-Z_]+)*): (.*)$/.exec(comment) ?? [];
  return `| \`${value.localName}\` | ${code} | ${meaning.replaceAll('|', '\\|')} |`;
}

function commentOf(value: DescEnumValue): string {
  const file = value.parent.file.proto;
  const path = [5, value.parent.file.enums.indexOf(value.parent), 2, value.parent.values.indexOf(value)];
  const location = file.sourceCodeInfo?.location.find((one) => one.path.join() === path.join());
  return (location?.leadingComments ?? '').trim().replace(/\s+/g, ' ');
}
