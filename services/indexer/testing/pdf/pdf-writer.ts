import { createHash } from 'node:crypto';

// Writes small PDFs for tests: text at places, lines, images, structure elements, encryption. Places are points from the upper left corner.

/** Text at a place of a page; `y` is its baseline. */
export interface PdfText {
  text: string;
  x: number;
  y: number;
  size?: number;
  isBold?: boolean;
  isInvisible?: boolean;
  /** Red, green and blue, 0 to 1; black by default. */
  color?: readonly [number, number, number];
  /** Quarter turns against the clock. */
  turns?: number;
  /** Whether its characters are one below the other. */
  isDown?: boolean;
}

/** A structure element: of texts of the page by their index, or of further elements. */
export interface PdfTag {
  type: string;
  texts?: number[];
  children?: PdfTag[];
  columnSpan?: number;
}

export interface PdfPage {
  texts?: PdfText[];
  /** From one point to another. */
  lines?: [x0: number, y0: number, x1: number, y1: number][];
  /** A grey image over this area. */
  images?: [x: number, y: number, width: number, height: number][];
  tags?: PdfTag[];
  /** An image over the whole page: red, green, blue and alpha of each pixel. */
  bitmap?: { width: number; height: number; pixels: Uint8Array };
  /** Operators before and after all texts; their places are from the lower left corner. */
  below?: string;
  above?: string;
  /** Degrees, clockwise. */
  rotate?: number;
}

const width = 595;
const height = 842;

/** Returns a PDF with these pages. With a password it is encrypted (RC4, 40 bits). */
export function writePdf(pages: readonly PdfPage[], { title = '', password = '' } = {}): Uint8Array {
  const objects: (string | Buffer)[] = [];
  const add = (body: string | Buffer = '') => objects.push(body);
  const cipher = password === '' ? undefined : createCipher(password);
  const stream = (number: number, dictionary: string, content: Buffer) => {
    const bytes = cipher?.encrypt(number, content) ?? content;
    return Buffer.concat([
      Buffer.from(`<< ${dictionary} /Length ${bytes.length} >>\nstream\n`),
      bytes,
      Buffer.from('\nendstream'),
    ]);
  };
  const text = (number: number, value: string) =>
    `<${(cipher?.encrypt(number, utf16(value)) ?? utf16(value)).toString('hex')}>`;
  const catalog = add();
  const pagesObject = add();
  const info = add();
  objects[info - 1] = `<< /Title ${text(info, title)} >>`;
  const fonts = { F: add(standardFont('Helvetica')), B: add(standardFont('Helvetica-Bold')), H: add() };
  objects[fonts.H - 1] = chineseFont('UniGB-UCS2-H', add());
  objects[objects.length - 1] = chineseDescendant(add(chineseDescriptor));
  const image = add();
  objects[image - 1] = stream(
    image,
    '/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8',
    Buffer.from([128]),
  );
  const root = pages.some(({ tags }) => tags !== undefined) ? add() : 0;
  const kids: number[] = [];
  const elements: number[] = [];
  for (const [index, page] of pages.entries()) {
    const own = add();
    const content = add();
    const scan = page.bitmap === undefined ? image : add();
    if (page.bitmap !== undefined) objects[scan - 1] = scanOf(page.bitmap, (head, bytes) => stream(scan, head, bytes));
    const resources = `<< /Font << ${Object.entries(fonts)
      .map(([name, number]) => `/${name} ${number} 0 R`)
      .join(' ')} >> /XObject << /I ${image} 0 R /S ${scan} 0 R >> >>`;
    objects[content - 1] = stream(content, '', Buffer.from(contentOf(page), 'latin1'));
    objects[own - 1] =
      `<< /Type /Page /Parent ${pagesObject} 0 R /MediaBox [0 0 ${width} ${height}] /Rotate ${page.rotate ?? 0} ` +
      `/Resources ${resources} /Contents ${content} 0 R /StructParents ${index} >>`;
    kids.push(own);
    const addTag = (tag: PdfTag, parent: number): number => {
      const number = add();
      const children = (tag.children ?? []).map((child) => `${addTag(child, number)} 0 R`);
      const attribute = tag.columnSpan === undefined ? '' : `/A << /O /Table /ColSpan ${tag.columnSpan} >> `;
      objects[number - 1] =
        `<< /Type /StructElem /S /${tag.type} /P ${parent} 0 R /Pg ${own} 0 R ${attribute}/K [${[...(tag.texts ?? []), ...children].join(' ')}] >>`;
      return number;
    };
    for (const tag of page.tags ?? []) {
      const number = addTag(tag, root);
      elements.push(number);
    }
  }
  if (root > 0) objects[root - 1] = rootOf(pages, objects, elements);
  objects[catalog - 1] =
    `<< /Type /Catalog /Pages ${pagesObject} 0 R${root > 0 ? ` /StructTreeRoot ${root} 0 R /MarkInfo << /Marked true >>` : ''} >>`;
  objects[pagesObject - 1] =
    `<< /Type /Pages /Kids [${kids.map((kid) => `${kid} 0 R`).join(' ')}] /Count ${kids.length} >>`;
  const encrypt = cipher === undefined ? 0 : add(cipher.dictionary);
  return assemble(
    objects,
    `/Root ${catalog} 0 R /Info ${info} 0 R${encrypt > 0 ? ` /Encrypt ${encrypt} 0 R` : ''} /ID [<${fileId.toString('hex')}> <${fileId.toString('hex')}>]`,
  );
}

function assemble(objects: readonly (string | Buffer)[], trailer: string): Uint8Array {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let at = (parts[0] as Buffer).length;
  for (const [index, body] of objects.entries()) {
    const bytes = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), Buffer.from(body), Buffer.from('\nendobj\n')]);
    offsets.push(at);
    at += bytes.length;
    parts.push(bytes);
  }
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  parts.push(
    Buffer.from(
      `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${objects.length + 1} ${trailer} >>\nstartxref\n${at}\n%%EOF\n`,
    ),
  );
  return Buffer.concat(parts);
}

function contentOf({ texts = [], lines = [], images = [], tags, bitmap, below = '', above = '' }: PdfPage): string {
  const drawn = [
    ...(bitmap === undefined ? [] : [`q ${width} 0 0 ${height} 0 0 cm /S Do Q`]),
    ...images.map(([x, y, w, h]) => `q ${w} 0 0 ${h} ${x} ${height - y - h} cm /I Do Q`),
    ...lines.map(([x0, y0, x1, y1]) => `0.5 w ${x0} ${height - y0} m ${x1} ${height - y1} l S`),
  ];
  const tagged = new Set(tags === undefined ? [] : tags.flatMap(textsIn));
  return [
    ...drawn,
    below,
    ...texts.map((one, index) =>
      tagged.has(index) ? `/Span << /MCID ${index} >> BDC ${textOf(one)} EMC` : textOf(one),
    ),
    above,
  ].join('\n');
}

function scanOf(bitmap: NonNullable<PdfPage['bitmap']>, stream: (head: string, bytes: Buffer) => Buffer): Buffer {
  const { pixels } = bitmap;
  const grey = Buffer.from(Uint8Array.from({ length: pixels.length / 4 }, (_, index) => pixels[index * 4] as number));
  const size = `/Width ${bitmap.width} /Height ${bitmap.height} /ColorSpace /DeviceGray /BitsPerComponent 8`;
  return stream(`/Type /XObject /Subtype /Image ${size}`, grey);
}

function textsIn({ texts = [], children = [] }: PdfTag): number[] {
  return [...texts, ...children.flatMap(textsIn)];
}

function textOf(one: PdfText): string {
  const {
    text,
    x,
    y,
    size = 10,
    isBold = false,
    isInvisible = false,
    turns = 0,
    isDown = false,
    color = [0, 0, 0],
  } = one;
  if (isDown) {
    const characters = [...text].map((character, index) =>
      textOf({ ...one, text: character, y: y + index * size * 1.1, isDown: false }),
    );
    return characters.join(' ');
  }
  const isLatin = /^[\u0020-\u00ff]*$/.test(text);
  const font = isLatin ? (isBold ? 'B' : 'F') : 'H';
  const shown = isLatin ? `(${text.replace(/[\\()]/g, '\\$&')})` : `<${utf16(text).subarray(2).toString('hex')}>`;
  const directions = [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
  ] as const;
  const [cos, sin] = directions[turns] ?? directions[0];
  return `BT ${color.join(' ')} rg /${font} ${size} Tf ${isInvisible ? 3 : 0} Tr ${cos} ${sin} ${-sin} ${cos} ${x} ${height - y} Tm ${shown} Tj ET`;
}

function rootOf(pages: readonly PdfPage[], objects: (string | Buffer)[], elements: readonly number[]): string {
  // Readers find the element of a content by its number in the page.
  const numbers = pages.map(({ tags = [] }, page) => {
    const owners: string[] = [];
    let next = elements[pages.slice(0, page).reduce((sum, one) => sum + (one.tags?.length ?? 0), 0)] ?? 0;
    const visit = (tag: PdfTag) => {
      const own = next++;
      for (const child of tag.children ?? []) visit(child);
      for (const index of tag.texts ?? []) owners[index] = `${own} 0 R`;
    };
    for (const tag of tags) visit(tag);
    return `${page} [${Array.from(owners, (owner) => owner ?? 'null').join(' ')}]`;
  });
  objects.push(`<< /Nums [${numbers.join(' ')}] >>`);
  return `<< /Type /StructTreeRoot /K [${elements.map((one) => `${one} 0 R`).join(' ')}] /ParentTree ${objects.length} 0 R >>`;
}

const standardFont = (name: string) =>
  `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`;
const chineseFont = (map: string, descendant: number) =>
  `<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light-${map} /Encoding /${map} /DescendantFonts [${descendant} 0 R] >>`;
const chineseDescendant = (descriptor: number) =>
  '<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 ' +
  `/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor ${descriptor} 0 R >>`;
const chineseDescriptor =
  '<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 ' +
  '/Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>';

function utf16(text: string): Buffer {
  return Buffer.from(`\uFEFF${text}`, 'utf16le').swap16();
}

// The standard security handler, revision 2 (ISO 32000-1, 7.6.3).

const fileId = Buffer.from('0123456789abcdef0123456789abcdef', 'hex');
const padding = Buffer.from('28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A', 'hex');
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();

function createCipher(password: string) {
  const padded = Buffer.concat([Buffer.from(password), padding]).subarray(0, 32);
  const owner = rc4(md5(padded).subarray(0, 5), padded);
  const permissions = Buffer.from([0xfc, 0xff, 0xff, 0xff]);
  const key = md5(Buffer.concat([padded, owner, permissions, fileId])).subarray(0, 5);
  const user = rc4(key, padding);
  return {
    dictionary: `<< /Filter /Standard /V 1 /R 2 /O <${owner.toString('hex')}> /U <${user.toString('hex')}> /P -4 >>`,
    encrypt(object: number, bytes: Buffer): Buffer {
      const salt = Buffer.from([object & 255, (object >> 8) & 255, (object >> 16) & 255, 0, 0]);
      return rc4(md5(Buffer.concat([key, salt])).subarray(0, 10), bytes);
    },
  };
}

function rc4(key: Buffer, bytes: Buffer): Buffer {
  const state = Array.from({ length: 256 }, (_, index) => index);
  const swap = (one: number, other: number) => {
    [state[one], state[other]] = [state[other] as number, state[one] as number];
  };
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + (state[i] as number) + (key[i % key.length] as number)) & 255;
    swap(i, j);
  }
  let i = 0;
  let j = 0;
  return Buffer.from(
    bytes.map((byte) => {
      i = (i + 1) & 255;
      j = (j + (state[i] as number)) & 255;
      swap(i, j);
      return byte ^ (state[((state[i] as number) + (state[j] as number)) & 255] as number);
    }),
  );
}
