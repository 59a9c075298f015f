import { CommandError } from '../../command.ts';

/** What a line of an export says of itself, in either format. */
export interface ExportedLine {
  tenant: string;
  sequence: number;
}

/** Reads tenant and sequence of a line of an export. Throws CommandError if it is none; `source` says which file it is in. */
export function lineOf(line: string, source: string): ExportedLine {
  let json: { tenant?: unknown; sequence?: unknown; metadata?: { tenant_uid?: unknown; sequence?: unknown } };
  try {
    json = JSON.parse(line) as typeof json;
  } catch {
    throw new CommandError(`${source}: the last line is no entry of an audit`);
  }
  const sequence = Number(json.metadata?.sequence ?? json.sequence);
  const tenant = json.metadata?.tenant_uid ?? json.tenant;
  if (typeof tenant !== 'string' || !Number.isSafeInteger(sequence) || sequence < 1) {
    throw new CommandError(`${source}: the last line is no entry of an audit`);
  }
  return { tenant, sequence };
}
