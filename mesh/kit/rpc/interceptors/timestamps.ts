import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';

/** Seconds since 1970 of the years 1 to 9999, which `google.protobuf.Timestamp` can be (timestamp.proto). */
const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;
const maxNanos = 999_999_999;

const timed = new WeakMap<DescMessage, readonly DescField[]>();

/** Returns the paths of times that no date can be; the rules of the contract do not say so of each of them. */
export function badTimestamps(schema: DescMessage, message: Message, path = ''): string[] {
  return timedFields(schema).flatMap((field) => {
    const value = (message as unknown as Record<string, unknown>)[field.localName];
    if (value === undefined || field.message === undefined) return [];
    const { message: type } = field;
    const name = `${path}${field.name}`;
    const check = (one: Message, at: string) =>
      isTimestamp(type) ? (isDate(one as Timestamp) ? [] : [at]) : badTimestamps(type, one, `${at}.`);
    return Array.isArray(value)
      ? value.flatMap((one: Message, index) => check(one, `${name}[${index}]`))
      : check(value as Message, name);
  });
}

const isTimestamp = ({ typeName }: DescMessage): boolean => typeName === 'google.protobuf.Timestamp';

const isDate = ({ seconds, nanos }: Timestamp): boolean =>
  seconds >= firstSecond && seconds <= lastSecond && nanos >= 0 && nanos <= maxNanos;

/** Returns the fields that are times or have some, outside of oneofs and maps. */
function timedFields(schema: DescMessage): readonly DescField[] {
  const known = timed.get(schema);
  if (known !== undefined) return known;
  // Known before its fields are looked at: a message may hold its own kind.
  timed.set(schema, []);
  const fields = schema.fields.filter(
    ({ message, oneof, fieldKind }) =>
      message !== undefined &&
      oneof === undefined &&
      fieldKind !== 'map' &&
      (isTimestamp(message) || timedFields(message).length > 0),
  );
  timed.set(schema, fields);
  return fields;
}
