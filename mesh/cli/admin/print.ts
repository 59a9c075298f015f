import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { printJson } from '../command.ts';

/** Prints a message as one line of JSON. */
export function printMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  printJson(toJson(schema, message));
}

/** Prints rows in columns; nothing without rows. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, index) => cell.padEnd(widths[index] ?? 0));
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

/** Returns a time to the second, in UTC; "-" if there is none. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? '-' : `${timestampDate(time).toISOString().slice(0, 19)}Z`;
}
