import { header, type KubeObject, toYaml } from '../objects.ts';

// Templates of Helm are made of the same objects as all manifests: their texts hold expressions of Helm instead of names, and numbers are
// expressions in marks that are taken off with their quotes after the object has become YAML.

/** Returns an expression of Helm for a text: "{{ $.Values.host }}". */
export function expression(code: string): string {
  return `{{ ${code} }}`;
}

/** Returns an expression for a value that is no text: a number, or a list as JSON. */
export function raw(code: string): string {
  return `<raw>${code}</raw>`;
}

/** Returns objects as a template. */
export function toTemplate(...objects: readonly KubeObject[]): string {
  // YAML puts quotes around a text with braces, and writes quotes inside of it with a backslash.
  const text = toYaml(...objects).slice(header.length);
  const unquoted = text.replaceAll(/"?<raw>(.*?)<\/raw>"?/g, (_, code: string) => expression(code));
  return unquoted.replaceAll(/\{\{ .*? \}\}/g, (code) => code.replaceAll('\\"', '"'));
}

/** Returns a template that is there only if an expression is true. */
export function when(code: string, template: string): string {
  return `${header}{{- if ${code} }}\n${template}{{- end }}\n`;
}

/** Returns a template that is repeated for each value of a list, which is `.` in it. */
export function forEach(code: string, template: string): string {
  return `${header}{{- range ${code} }}\n---\n${template}{{- end }}\n`;
}
