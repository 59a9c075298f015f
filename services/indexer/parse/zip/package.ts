import { posix } from 'node:path';
import { childrenOf, readRoot, type XmlElement } from '../xml/read-xml.ts';
import type { ZipArchive } from './open-zip.ts';

/** A part that another part refers to. */
export interface RelatedPart {
  id: string;
  /** Address of the kind of reference; its last segment is the kind, such as "notesSlide". */
  type: string;
  path: string;
}

/** The parts of an Office document: XML files that refer to each other. */
export interface OfficePackage {
  /** Returns the root of a part; `undefined` if there is no such part. */
  root(path: string): Promise<XmlElement | undefined>;
  related(path: string): Promise<RelatedPart[]>;
}

/** Creates the package of an archive. */
export function createPackage(zip: ZipArchive): OfficePackage {
  const root = async (path: string) => {
    const entry = zip.find(path);
    return entry === undefined ? undefined : readRoot(zip.stream(entry));
  };
  return {
    root,
    async related(path) {
      const folder = posix.dirname(path);
      const relations = await root(`${folder}/_rels/${posix.basename(path)}.rels`);
      const found = relations === undefined ? [] : childrenOf(relations);
      return found.map(({ attributes }) => ({
        id: attributes.Id ?? '',
        type: attributes.Type ?? '',
        path: pathOf(folder, attributes.Target ?? ''),
      }));
    },
  };
}

/** Paths with "/" in front count from the root, others from the folder of the part that refers to them. */
function pathOf(folder: string, target: string): string {
  return target.startsWith('/') ? target.slice(1) : posix.join(folder, target);
}
