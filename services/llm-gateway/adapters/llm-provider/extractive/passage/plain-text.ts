/** Named character references that texts use; all others are unchanged. */
const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  mdash: '—',
  ndash: '–',
  times: '×',
  hellip: '…',
};

/** Replacements, in order. Every repeat is bounded or cannot overlap the next part, so the time is linear. */
const rules: readonly (readonly [RegExp, string])[] = [
  [/<!--[\s\S]{0,2000}?-->/g, ''],
  [/<br\s{0,4}\/?>/gi, ' '],
  [/<\/?[a-z][a-z0-9]{0,15}(?:\s[^<>]{0,500})?\/?>/gi, ''],
  [/!\[([^[\]]{0,300})\]\([^()\s]{0,1000}(?:\s"[^"]{0,200}")?\)/g, ''],
  [/\[([^[\]]{1,300})\]\([^()\s]{0,1000}(?:\s"[^"]{0,200}")?\)/g, '$1'],
  [/\[\^[^[\]]{1,40}\]/g, ''],
  // An address that cannot be followed, and carries nothing: its host and path.
  [
    /<?\bhttps?:\/\/([^\s<>()?#，。；、）]{1,300})(?:[?#][^\s<>()，。；、）]{0,1000}[^\s<>()，。；、）.,;:!?])?>?/gi,
    '$1',
  ],
  [/(?<![\w\\*])(\*{1,3})(?=[^\s*])([^*\n]{1,400}?)(?<=\S)\1(?!\w)/g, '$2'],
  [/(?<![\p{L}\p{N}\\_])(_{1,3})(?=[^\s_])([^_\n]{1,400}?)(?<=\S)\1(?![\p{L}\p{N}])/gu, '$2'],
  [/\*\*/g, ''],
  [/~~([^~\n]{1,400})~~/g, '$1'],
  [/`{1,2}([^`\n]{1,400})`{1,2}/g, '$1'],
  [/\\([\\`*_{}[\]()#+\-.!|<>~])/g, '$1'],
];

/** Returns the visible text of inline Markdown and HTML, on one line. */
export function toPlainText(markup: string): string {
  let text = markup;
  for (const [pattern, replacement] of rules) text = text.replace(pattern, replacement);
  return text
    .replace(/&(?:#(\d{1,6})|([a-z]{2,6}));/gi, (whole, code: string | undefined, name: string | undefined) =>
      code === undefined ? (entities[name?.toLowerCase() ?? ''] ?? whole) : toCharacter(Number(code), whole),
    )
    .replace(/(?<=\p{sc=Han}|[，。；：、！？])\s*\n\s*(?=\p{sc=Han})/gu, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function toCharacter(code: number, otherwise: string): string {
  return code >= 32 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : otherwise;
}
