/** A chosen file with its path in the folder that was chosen. */
export interface ChosenFile {
  path: string;
  content: File;
}

/** Most files that are taken from a folder. */
export const filesMax = 20_000;

/** Something that was dropped on the page, as the components describe it. */
export type DroppedItem =
  | { kind: 'file'; name: string; getFile(): Promise<File> }
  | { kind: 'directory'; name: string; getEntries(): AsyncIterable<DroppedItem> }
  | { kind: 'text' };

/** Returns the files of what was dropped, those of folders as well. Hidden files (`.DS_Store`) are left out. */
export async function filesOf(items: Iterable<DroppedItem>): Promise<ChosenFile[]> {
  const files: ChosenFile[] = [];
  const read = async (entries: Iterable<DroppedItem> | AsyncIterable<DroppedItem>, folder: string) => {
    for await (const entry of entries) {
      if (entry.kind === 'text' || entry.name.startsWith('.') || files.length >= filesMax) continue;
      if (entry.kind === 'file') files.push({ path: folder + entry.name, content: await entry.getFile() });
      else await read(entry.getEntries(), `${folder}${entry.name}/`);
    }
  };
  await read(items, '');
  return files;
}

/** Returns the files of a list of the browser: of a chosen folder, with the paths in it. */
export function chosenFiles(list: Iterable<File>): ChosenFile[] {
  return [...list]
    .map((content) => ({ path: content.webkitRelativePath || content.name, content }))
    .filter(({ path }) => !path.split('/').some((name) => name.startsWith('.')))
    .slice(0, filesMax);
}
