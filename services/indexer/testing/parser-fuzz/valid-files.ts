import { utils, write } from '@e965/xlsx';
import { docxOf, epubOf, odfOf, paragraphOf, pptxOf, shapeOf } from '../office-files.ts';
import { writePdf } from '../pdf/pdf-writer.ts';
import { zipOf } from '../zip-of.ts';

/** A valid file of a format. */
export interface ValidFile {
  /** Name of the parser's adapter. */
  parser: string;
  path: string;
  bytes: Buffer;
}

const words = 'Returns are free within 30 days. 退货在三十天内免费。';
const text = (parser: string, ending: string, content: string): ValidFile => ({
  ...{ parser, path: `a.${ending}`, bytes: Buffer.from(content) },
});

/** Returns a valid file of each format, with what makes the format hard: tables, lists, nesting, parts that point at parts. */
export function validFiles(): ValidFile[] {
  const sheet = utils.book_new();
  utils.book_append_sheet(
    sheet,
    utils.aoa_to_sheet([
      ['name', 'price'],
      ['lamp', 7],
      ['灯', '8元'],
    ]),
    'prices',
  );
  const xlsx = write(sheet, { type: 'buffer', bookType: 'xlsx' }) as Buffer;
  const xls = write(sheet, { type: 'buffer', bookType: 'biff8' }) as Buffer;
  const table = `<w:tbl><w:tr><w:tc>${paragraphOf('a')}</w:tc><w:tc>${paragraphOf('b')}</w:tc></w:tr></w:tbl>`;
  const inner = { 'docs/a.md': `# Title\n\n${words}\n`, 'docs/b.csv': 'a,b\n1,2\n' };
  return [
    text(
      'markdown',
      'md',
      `---\ntitle: T\ngroups: [staff]\n---\n# Head\n\n${words}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n  - y\n\n> q\n`,
    ),
    text(
      'html',
      'html',
      `<!doctype html><title>T</title><main><h1>H</h1><p>${words}</p><table><tr><th>a<td>b</table><details><summary>s</summary>d</details></main>`,
    ),
    text('csv', 'csv', `id,title,text\n1,"T ""x""","${words}"\n2,U,"a\nb"\n`),
    text(
      'json',
      'jsonl',
      `{"id":"a","title":"A","text":"${words}"}\n{"id":"b","title":"B","text":"x","groups":["staff"]}\n`,
    ),
    text('json', 'json', `[{"id":"a","text":"${words}","attributes":{"k":"v"}},{"id":"b","text":"y"}]`),
    text('text', 'txt', `${words}\n\n${words}\n`),
    text('subtitles', 'srt', `1\n00:00:01,000 --> 00:00:02,500\n${words}\n\n2\n00:00:03,000 --> 00:00:04,000\nNext\n`),
    text(
      'rtf',
      'rtf',
      `{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\b Title}\\par Returns are \\u36864?\\par\\trowd\\cellx100 a\\cell b\\cell\\row}`,
    ),
    text(
      'mail',
      'eml',
      `From: a@b.c\r\nSubject: =?utf-8?B?6YCA6LSn?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${words}\r\n--X\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\nContent-Transfer-Encoding: base64\r\n\r\nYSxiCjEsMgo=\r\n--X--\r\n`,
    ),
    { parser: 'docx', path: 'a.docx', bytes: docxOf(paragraphOf(words) + table) },
    {
      parser: 'pptx',
      path: 'a.pptx',
      bytes: pptxOf([{ shapes: shapeOf('title', words), notes: 'n' }, { shapes: shapeOf('body', 'b') }]),
    },
    {
      parser: 'odf',
      path: 'a.odt',
      bytes: odfOf('text', `<text:h text:outline-level="1">H</text:h><text:p>${words}</text:p>`),
    },
    { parser: 'epub', path: 'a.epub', bytes: epubOf([`<h1>One</h1><p>${words}</p>`, '<h1>Two</h1><p>b</p>']) },
    { parser: 'spreadsheet', path: 'a.xlsx', bytes: xlsx },
    { parser: 'spreadsheet', path: 'a.xls', bytes: xls },
    { parser: 'zip', path: 'a.zip', bytes: zipOf(inner) },
    {
      parser: 'pdf',
      path: 'a.pdf',
      bytes: Buffer.from(writePdf([{ texts: [{ x: 50, y: 700, text: 'Returns are free' }] }])),
    },
  ];
}
