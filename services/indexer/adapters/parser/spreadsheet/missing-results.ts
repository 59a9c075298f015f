import { childOf, findAll, readElements, readRoot, textOf } from '../../../parse/xml/read-xml.ts';
import type { ZipArchive } from '../../../parse/zip/open-zip.ts';
import { createPackage } from '../../../parse/zip/package.ts';

/**
 * Returns for each sheet the addresses of formulas without a result. Programs that write workbooks but do not compute leave it out, and
 * the library that reads cells shows 0 for it.
 */
export async function findMissingResults(zip: ZipArchive): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const missing = new Map<string, Set<string>>();
  const main = zip.find('xl/workbook.xml');
  if (main === undefined) return missing;
  const parts = await createPackage(zip).related('xl/workbook.xml');
  for (const { attributes } of findAll(await readRoot(zip.stream(main)), 'x:sheet')) {
    const path = parts.find(({ id }) => id === attributes['r:id'])?.path;
    const entry = path === undefined ? undefined : zip.find(path);
    if (entry === undefined) continue;
    const addresses = new Set<string>();
    for await (const cell of readElements(zip.stream(entry), (name) => name === 'x:c')) {
      const value = childOf(cell, 'x:v');
      const isEmpty = value === undefined || textOf(value) === '';
      if (isEmpty && childOf(cell, 'x:f') !== undefined && childOf(cell, 'x:is') === undefined) {
        addresses.add(cell.attributes.r ?? '');
      }
    }
    missing.set(attributes.name ?? '', addresses);
  }
  return missing;
}
