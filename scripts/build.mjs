// Bundles the product into dist/. `npm ci` runs it (prepare), so that bin/archipelago works right after. Our modules and
// typebox become a few files; what commands load late stays apart. Other packages are loaded as they are installed.
// Tests build copies of the product: `node scripts/build.mjs --root DIR ENTRY…`.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { root: { type: 'string' } } });
const root = values.root ?? dirname(dirname(fileURLToPath(import.meta.url)));
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const bundled = new Set(['typebox']);
const packages = Object.keys(dependencies).filter((name) => !bundled.has(name));

rmSync(join(root, 'dist'), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: positionals.length > 0 ? positionals : ['server/cli/main.ts'],
  outbase: '.',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  external: packages.flatMap((name) => [name, `${name}/*`]),
  legalComments: 'linked',
  logLevel: 'warning',
});
