// `npm run check`: types, formatting and lint, unused code, import directions, generated documents. Runs them
// side by side and prints what each has to say; ends with 1 if one of them is not content.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

/** The program of a package, as its package.json names it: no shell, no search path. */
function program(name, command = name) {
  const file = join(root, 'node_modules', name, 'package.json');
  const { bin } = require(file);
  return join(dirname(file), typeof bin === 'string' ? bin : bin[command]);
}

const checks = [
  ['types', program('typescript', 'tsc'), '-p', 'tsconfig.json'],
  ['format and lint', program('@biomejs/biome', 'biome'), 'check', '.'],
  ['unused code', program('knip')],
  [
    'import directions',
    program('mocha'),
    '--no-config',
    '--import=tsx',
    '--reporter=dot',
    'tests/architecture.test.ts',
  ],
  ['generated documents', program('tsx'), 'scripts/docs.ts', '--check'],
];

function run([name, ...command]) {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (status) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
      if (status !== 0) process.stdout.write(output);
      resolve(status === 0);
    });
  });
}

const results = await Promise.all(checks.map(run));
process.exit(results.every(Boolean) ? 0 : 1);
