/** Returns the names of a text: they are separated by blanks, lines or commas. */
export function splitNames(text: string): string[] {
  return [...new Set(text.split(/[\s,，、]+/).filter((name) => name !== ''))];
}
