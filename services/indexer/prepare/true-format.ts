// Files whose name says another format than their bytes: pages and tables that programs export as ".xls" and ".doc", renamed PDFs.

/** Bytes at the beginning of a file by which its format is found. */
export const signatureBytes = 1024;

const spreadsheets = ['.xls', '.xlsx'];
const officeNames = ['.doc', '.docx', ...spreadsheets];
/** What archives with names of the formats before 2007 are. */
const successors: Readonly<Record<string, string>> = {
  '.doc': '.docx',
  '.dot': '.docx',
  '.ppt': '.pptx',
  '.pps': '.pptx',
};
/** First bytes of workbooks: archives, those before 2007 in a container, those before 1997 without. */
const workbookSignatures = ['PK', '\xd0\xcf\x11\xe0', '\t\x08', '\t\x04', '\t\x02'];

/** Returns the ending that a file should have by its first bytes; `undefined` if they do not contradict its name. */
export function trueEnding(path: string, head: Uint8Array): string | undefined {
  const ending = /\.[a-z]+$/i.exec(path)?.[0].toLowerCase() ?? '';
  const bytes = Buffer.from(head.subarray(0, signatureBytes)).toString('latin1');
  const found = endingOf(bytes, ending);
  return found === ending ? undefined : found;
}

function endingOf(bytes: string, ending: string): string | undefined {
  if (bytes.startsWith('%PDF-')) return '.pdf';
  if (bytes.startsWith('{\\rtf')) return '.rtf';
  if (bytes.startsWith('PK\u0003\u0004')) return successors[ending];
  if (!officeNames.includes(ending)) return undefined;
  if (/^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|table|head|meta)\b/i.test(bytes)) return '.html';
  return spreadsheets.includes(ending) && isTable(bytes) ? '.csv' : undefined;
}

/** Text with fields, also in UTF-16 with its mark. */
function isTable(bytes: string): boolean {
  if (workbookSignatures.some((signature) => bytes.startsWith(signature))) return false;
  const isText = bytes.startsWith('\xff\xfe') || !bytes.includes('\0');
  return isText && !bytes.startsWith('<') && /[\t,;]/.test(bytes);
}
