import { crc32, deflateRawSync } from 'node:zlib';

/** A file to pack. */
export interface PackedFile {
  /** Name as it is written: text as UTF-8 with its flag, bytes without one. */
  name: string | Uint8Array;
  content: string | Uint8Array;
  /** Size that the archive says, in place of the true one. */
  declaredBytes?: number;
}

/** Returns a ZIP archive of files. */
export function zipOf(files: Readonly<Record<string, string | Uint8Array>> | readonly PackedFile[]): Buffer {
  const listed = Array.isArray(files) ? files : Object.entries(files).map(([name, content]) => ({ name, content }));
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, declaredBytes } of listed as readonly PackedFile[]) {
    const bytes = Buffer.from(content as Uint8Array);
    const packed = deflateRawSync(bytes);
    const rawName = Buffer.from(name as Uint8Array);
    // Version, flags (UTF-8 names), method, time, date, checksum, sizes, lengths: the same in both headers.
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(typeof name === 'string' ? 1 << 11 : 0, 2);
    shared.writeUInt16LE(8, 4);
    shared.writeUInt16LE(0x5921, 8);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(declaredBytes ?? bytes.length, 18);
    shared.writeUInt16LE(rawName.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), shared, rawName, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), shared, rest, rawName]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(listed.length, 8);
  end.writeUInt16LE(listed.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
