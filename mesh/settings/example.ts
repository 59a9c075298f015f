import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { commentOf, describe, hasSettings, portOf } from './describe.ts';

// ragmesh.example.yaml: lines with `##` explain, lines with `#` are settings. Without its first `#`, such a line is YAML.

const lineLength = 110;

/** Returns the example: every setting commented out, with its default, range and meaning. */
export function renderExample(config: DescMessage): string {
  const head = [
    '# yaml-language-server: $schema=./ragmesh.schema.json',
    '## Every setting of ragmesh with its default. Copy the lines that you need to ragmesh.yaml and remove their first "#".',
    '## `npm start -- --check` checks the file. This file is made by `npm run settings:render` from config.proto.',
    ...wrap(commentOf(config), 0),
  ];
  const sections = config.fields.map((field) => ['', ...linesOf(field, 0, [])]);
  return `${[...head, ...sections.flat()].join('\n')}\n`;
}

function linesOf(field: DescField, depth: number, inside: readonly string[]): string[] {
  const { meaning, defaultText, defaultValue, range, isRequired } = describe(field);
  const isSection = hasSettings(field);
  const notes = [
    meaning,
    isRequired
      ? 'Required.'
      : defaultText !== '' && !(defaultValue !== undefined && isSame(defaultText, defaultValue))
        ? `Default: ${defaultText}.`
        : '',
    range === '' ? '' : `Allowed: ${range}.`,
  ];
  const text = wrap(notes.filter((note) => note !== '').join(' '), depth);
  if (!isSection || inside.includes(field.message.typeName)) {
    return [...text, ...valueLines(field, depth, defaultValue)];
  }
  const within = [...inside, field.message.typeName];
  const port = portOf(field);
  const children = (at: number) =>
    field.message.fields.flatMap((child) =>
      child.name === 'adapter' && port !== undefined
        ? [key(child.name, at, port.defaultAdapter || undefined)]
        : linesOf(child, at, within),
    );
  switch (field.fieldKind) {
    case 'list':
      return [...text, key(field.name, depth), ...asElement(children(depth + 2), depth + 1)];
    case 'map':
      return [...text, key(field.name, depth), key('example', depth + 1), ...children(depth + 2)];
    default:
      return [...text, key(field.name, depth), ...children(depth + 1)];
  }
}

function valueLines(field: DescField, depth: number, value: string | number | boolean | undefined): string[] {
  if (field.fieldKind === 'map') return [`${key(field.name, depth)} {}`];
  return [key(field.name, depth, value)];
}

/** Turns lines of keys into an element of a list: the first key has the dash. */
function asElement(lines: string[], depth: number): string[] {
  const first = lines.findIndex((line) => !line.startsWith('##'));
  const dashed = (lines[first] ?? '').replace(`#${'  '.repeat(depth + 1)}`, `#${'  '.repeat(depth)}- `);
  return lines.map((line, index) => (index === first ? dashed : line));
}

function key(name: string, depth: number, value?: string | number | boolean): string {
  return `#${'  '.repeat(depth)}${name}:${value === undefined ? '' : ` ${stringify(value).trim()}`}`;
}

/** Whether the default in words says no more than the value. */
function isSame(text: string, value: string | number | boolean): boolean {
  return text === String(value) || text === `${value} ms` || text === `${value} s`;
}

function wrap(text: string, depth: number): string[] {
  const begin = `## ${'  '.repeat(depth)}`;
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > lineLength) lines.push(`${begin}${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
