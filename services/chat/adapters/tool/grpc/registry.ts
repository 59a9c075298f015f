import { createFileRegistry, type FileRegistry } from '@bufbuild/protobuf';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';

/** Returns the contracts in these files, which come in any order and have every file that they import. Throws if one is missing. */
export function registryOf(files: readonly FileDescriptorProto[]): FileRegistry {
  const byName = new Map(files.map((file) => [file.name, file]));
  const seen = new Set<string>();
  const ordered: FileDescriptorProto[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const file = byName.get(name);
    if (file === undefined) throw new Error(`${name} is not among the files`);
    for (const dependency of file.dependency) visit(dependency);
    ordered.push(file);
  };
  for (const { name } of files) visit(name);
  return createFileRegistry({ $typeName: 'google.protobuf.FileDescriptorSet', file: ordered });
}
