import type { Statement } from '#kit/storage/sqlite/protocol.ts';
import type { ImageRecords } from '../snapshots/images/images.ts';
import type { TenantFiles } from './tenant-files.ts';

/**
 * The schema of the records of images (snapshots/images). An image has rows up to `last_key`. The catalog assigns each key once, so the rows of a
 * corpus that come later have larger keys; if one does not, as after the restore of an older catalog, the image is no longer valid.
 */
export const imageSchema = `
CREATE TABLE image (
  corpus_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  image_id TEXT NOT NULL,
  last_key INTEGER NOT NULL,
  PRIMARY KEY (corpus_id, kind)
) WITHOUT ROWID;
CREATE TRIGGER chunk_imaged AFTER INSERT ON chunk BEGIN
  DELETE FROM image WHERE corpus_id = new.corpus_id AND last_key >= new.id; END;
`;

/** The schema of the words of rows that came after the image of their corpus: the index of words does not have them by row. */
export const lateWordsSchema = `
CREATE TABLE late_words (
  corpus_id INTEGER NOT NULL,
  id INTEGER NOT NULL,
  tokens TEXT NOT NULL,
  PRIMARY KEY (corpus_id, id)
) WITHOUT ROWID;
CREATE TRIGGER chunk_late AFTER DELETE ON chunk BEGIN
  DELETE FROM late_words WHERE corpus_id = old.corpus_id AND id = old.id; END;
`;

/** The statement that keeps the words of a new row if its corpus has an image: gets the words and the key. */
export const lateWordsInsert = `INSERT INTO late_words SELECT corpus_id, id, ? FROM chunk
  WHERE id = ? AND corpus_id IN (SELECT corpus_id FROM image)`;

/** Creates the records over the tenants' files. `hasWords`: whether the store keeps the words of rows that came after an image. */
export function createImageRecords(files: TenantFiles, hasWords: boolean): ImageRecords {
  const ifWords = (statement: Statement) => (hasWords ? [statement] : []);
  return {
    async record(tenant, corpusId, kind, imageId, lastKey) {
      await files.write(tenant, [
        ...ifWords({ sql: 'DELETE FROM late_words WHERE corpus_id = ?', params: [corpusId] }),
        { sql: 'INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?)', params: [corpusId, kind, imageId, lastKey] },
      ]);
    },
    async forget(tenant) {
      await files.write(tenant, [
        { sql: 'DELETE FROM image', params: [] },
        ...ifWords({ sql: 'DELETE FROM late_words', params: [] }),
      ]);
    },
    path: files.path,
  };
}
