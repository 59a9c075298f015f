import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { allowedBy, factsOf } from '#kit/host/config/adapter-settings.ts';
import { listAdapters, loadAdapter } from '#kit/host/config/adapters.ts';
import { folderOf } from '#kit/host/config/chosen-adapters.ts';
import { describe, hasSettings, portOf, serviceFolder } from './describe.ts';

// The settings tables of the READMEs. A README asks for one by a marker: `<!-- settings: chat -->` … `<!-- end of settings -->`, or
// `<!-- adapters: retrieval/vector-store -->` … for the settings of a port's adapters.

/** Returns the text with the tables between its markers made new. */
export async function fillTables(text: string, config: DescMessage): Promise<string> {
  const marker = /(<!-- (settings|adapters): ([\w/, -]+?) -->\n)[\s\S]*?(<!-- end of \2 -->)/g;
  const parts: string[] = [];
  let at = 0;
  for (const match of text.matchAll(marker)) {
    const [whole, begin = '', kind, names = '', end = ''] = match;
    const table = kind === 'settings' ? settingsTable(config, names.split(', ')) : await adaptersTable(names);
    parts.push(text.slice(at, match.index), begin, '\n', table, '\n', end);
    at = match.index + whole.length;
  }
  return [...parts, text.slice(at)].join('');
}

type Row = readonly string[];

function settingsTable(config: DescMessage, names: readonly string[]): string {
  const rows = names.flatMap((name) => {
    const field = config.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`config.proto has no section "${name}"`);
    // A section's own name is the heading of its table; that of a single setting is a row.
    return hasSettings(field) && names.length === 1 ? rowsOf(field.message, '') : rowsOfField(field, '', new Map());
  });
  return table(['setting', 'default', 'allowed', 'meaning'], rows);
}

function rowsOf(message: DescMessage, prefix: string, seen = new Map<string, string>()): Row[] {
  return message.fields.flatMap((field) => rowsOfField(field, prefix, seen));
}

function rowsOfField(field: DescField, prefix: string, seen: Map<string, string>): Row[] {
  const path = `${prefix}${field.name}`;
  const { meaning, defaultText, range, isRequired } = describe(field);
  const own = [code(path), isRequired ? 'required' : defaultText, range, meaning];
  if (!hasSettings(field) || (portOf(field) !== undefined && isPlainAdapter(field.message))) return [own];
  const under = `${path}${field.fieldKind === 'list' ? '[]' : field.fieldKind === 'map' ? '.<name>' : ''}`;
  const before = seen.get(field.message.typeName);
  if (before !== undefined) return [[code(path), defaultText, range, `${meaning} Keys as in ${code(before)}.`]];
  seen.set(field.message.typeName, under);
  return [own, ...rowsOf(field.message, `${under}.`, seen)];
}

/** Whether an entry has name, adapter and settings only, which every port has. */
function isPlainAdapter(message: DescMessage): boolean {
  return message.name === 'AdapterConfig';
}

async function adaptersTable(port: string): Promise<string> {
  const folder = folderOf(port, serviceFolder);
  const names = listAdapters(folder);
  // Adapters of one vendor, and all of a provider's kind, share settings: those that are equal are one row.
  const rows = new Map<string, { adapters: string[]; row: Row }>();
  for (const name of names) {
    const { settings } = await loadAdapter(folder, name, port);
    for (const [setting, schema] of Object.entries(settings)) {
      const facts = factsOf(schema);
      const { default: value, description = '' } = facts;
      const isPrinted = value !== undefined && value !== '';
      const defaultText = value === undefined ? 'required' : isPrinted ? String(value) : '';
      const row = [
        code(setting),
        defaultText,
        facts.type === 'boolean' ? '' : (allowedBy(facts) ?? ''),
        description === '' ? '' : `${description}.`,
      ];
      const key = JSON.stringify(row);
      const known = rows.get(key) ?? { adapters: [], row };
      known.adapters.push(name);
      rows.set(key, known);
    }
  }
  const count = names.length;
  const list = [...rows.values()].map(({ adapters, row: [setting = '', ...rest] }) => {
    const whose = adapters.length === count && count > 1 ? 'all' : adapters.map(code).join(', ');
    return [setting, whose, ...rest];
  });
  return table(['setting', 'adapters', 'default', 'allowed', 'meaning'], list);
}

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`.replaceAll('  |', ' |');
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}

const code = (text: string) => `\`${text}\``;
