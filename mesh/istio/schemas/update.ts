import { writeFileSync } from 'node:fs';
import { services } from '../../run.ts';
import { everyObject } from '../check/installations.ts';
import { renderFiles } from '../render/files.ts';
import { readSources, toSchemaFile } from './sources.ts';
import { toText } from './validate.ts';

// `npm run mesh:schemas -- <folder>`: takes the schemas of what is rendered from the files of a folder, after a change that renders new fields.

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write(
    'npm run mesh:schemas -- <folder with CustomResourceDefinitions and the OpenAPI document of Kubernetes>\n',
  );
  process.exitCode = 1;
} else {
  const file = toSchemaFile(everyObject(renderFiles(services)), readSources(folder));
  writeFileSync(new URL('rendered.json', import.meta.url), toText(file));
  const count = Object.keys(file.schemas).length;
  process.stdout.write(`${count} kinds; without a schema: ${file.unchecked.join(', ') || 'none'}\n`);
}
