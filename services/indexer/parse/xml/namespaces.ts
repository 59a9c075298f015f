// The prefixes by which parsers name elements, for the namespaces that they read. Files may use any other prefix.

const prefixes = new Map<string, string>([
  ['http://schemas.openxmlformats.org/wordprocessingml/2006/main', 'w'],
  ['http://purl.oclc.org/ooxml/wordprocessingml/main', 'w'],
  ['http://schemas.openxmlformats.org/drawingml/2006/main', 'a'],
  ['http://purl.oclc.org/ooxml/drawingml/main', 'a'],
  ['http://schemas.openxmlformats.org/presentationml/2006/main', 'p'],
  ['http://purl.oclc.org/ooxml/presentationml/main', 'p'],
  ['http://schemas.openxmlformats.org/spreadsheetml/2006/main', 'x'],
  ['http://purl.oclc.org/ooxml/spreadsheetml/main', 'x'],
  ['http://schemas.openxmlformats.org/officeDocument/2006/relationships', 'r'],
  ['http://purl.oclc.org/ooxml/officeDocument/relationships', 'r'],
  ['http://schemas.openxmlformats.org/package/2006/relationships', 'rel'],
  ['http://schemas.openxmlformats.org/officeDocument/2006/math', 'm'],
  ['http://schemas.openxmlformats.org/markup-compatibility/2006', 'mc'],
  ['http://schemas.openxmlformats.org/officeDocument/2006/custom-properties', 'custom'],
  ['http://schemas.openxmlformats.org/package/2006/metadata/core-properties', 'cp'],
  ['http://purl.org/dc/elements/1.1/', 'dc'],
  ['http://purl.org/dc/terms/', 'dcterms'],
  ['http://www.idpf.org/2007/opf', 'opf'],
  ['http://www.sitemaps.org/schemas/sitemap/0.9', 'sitemap'],
]);

const openDocument = /^urn:oasis:names:tc:opendocument:xmlns:([\w-]+)(?::1\.0)?$/;

/** Returns the prefix of a namespace; `undefined` if parsers know none. OpenDocument's are the names in its addresses. */
export function prefixOf(uri: string): string | undefined {
  return prefixes.get(uri) ?? openDocument.exec(uri)?.[1];
}
