import type { DescEnum } from '@bufbuild/protobuf';

/** Returns the name of an enum's value without the enum's prefix: `READER` of ROLE_READER; the number if it is unknown. */
export function enumName(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
