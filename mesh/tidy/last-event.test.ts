import { type DescMessage, getOption } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { last_event as lastEvent } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { services } from '../run.ts';

/** Streams of equal messages, which have no last one: their consumer reads to the end. */
const exempt = [
  'Embed',
  'ExportAccountUser',
  'ExportAudit',
  'ExportChatUser',
  'ExportUsage',
  'ExportUser',
  'ListIndexedDocuments',
  'QueryAudit',
  'WatchJob',
  'WatchJob',
];

// The kit looks at a member of the response, and at a member of the message that it holds.
const marksOne = ({ fields }: DescMessage): boolean =>
  fields.some(
    (field) =>
      getOption(field, lastEvent) ||
      (field.fieldKind === 'message' && field.message.fields.some((inner) => getOption(inner, lastEvent))),
  );

test('every stream of events marks its last one with last_event', () => {
  const streams = services
    .flatMap((service) => service.contracts)
    .flatMap(({ methods }) => methods.filter(({ methodKind }) => methodKind === 'server_streaming'));
  const unmarked = streams.filter(({ output }) => !marksOne(output)).map(({ name }) => name);
  expect(unmarked.sort()).toEqual(exempt);
});
