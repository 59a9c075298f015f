import { childrenOf, readRoot, textOf } from '../xml/read-xml.ts';
import type { ZipArchive } from './open-zip.ts';

/** Properties of Office documents, by names of metadata. */
const coreNames: Readonly<Record<string, string>> = {
  'dc:title': 'title',
  'dc:language': 'language',
  'dc:creator': 'author',
  'cp:category': 'category',
  'cp:keywords': 'keywords',
  'cp:contentStatus': 'status',
  'dcterms:modified': 'updated',
};

/** Names that belong to programs, not to people. */
const ofPrograms =
  /^(?:_|AppVersion|DocSecurity|HyperlinksChanged|LinksUpToDate|ScaleCrop|ShareDoc|KSO|ICV|Generator|Company$)/;

/**
 * Returns the properties of an Office document: title, language, author, category, keywords, status, time of the last change, and those
 * that people have added under any name (such as `groups`, `review_at`).
 */
export async function readOfficeProperties(zip: ZipArchive): Promise<Record<string, string>> {
  const properties: Record<string, string> = {};
  const core = zip.find('docProps/core.xml');
  if (core !== undefined) {
    for (const element of childrenOf(await readRoot(zip.stream(core)))) {
      const name = coreNames[element.name];
      if (name !== undefined) properties[name] = textOf(element).trim();
    }
  }
  const custom = zip.find('docProps/custom.xml');
  if (custom !== undefined) {
    for (const element of childrenOf(await readRoot(zip.stream(custom)))) {
      const { name } = element.attributes;
      if (name !== undefined && !ofPrograms.test(name)) properties[name] = textOf(element).trim();
    }
  }
  return properties;
}
