// `npm run docs`: writes the documents that are made from the program's own tables. With --check it writes nothing,
// and ends with 1 if a committed one is not what the tables give.
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { editorSchema } from '../config/editor-schema.ts';
import { openApi } from '../server/admin/openapi.ts';
import { configurationPage } from './configuration-page.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const documents: readonly (readonly [path: string, make: () => string])[] = [
  ['docs/configuration.md', configurationPage],
  ['docs/homeserver.schema.json', () => `${JSON.stringify(editorSchema(), null, 2)}\n`],
  ['docs/admin-api.json', () => `${JSON.stringify(openApi(), null, 2)}\n`],
];

const stale: string[] = [];
for (const [path, make] of documents) {
  const file = join(root, path);
  const text = make();
  const committed = await readFile(file, 'utf8').catch(() => undefined);
  if (committed === text) continue;
  stale.push(path);
  if (!process.argv.includes('--check')) await writeFile(file, text);
}
if (process.argv.includes('--check') && stale.length > 0) {
  process.stderr.write(`Not what the program says: ${stale.join(', ')}. Run "npm run docs".\n`);
  process.exitCode = 1;
}
