import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../../server/cli/program.ts';
import { ConfigFolder } from './support.ts';

const folder = fileURLToPath(new URL('./golden/', import.meta.url));

/** What stands beside the file of that name. */
const beside: Readonly<Record<string, (files: ConfigFolder) => void>> = {
  'world-readable-secret': (files) => files.write('secret.txt', 'hush', 0o644),
  'both-twins': (files) => files.write('secret.txt', 'hush'),
  'conf-d-clash': (files) => files.write('conf.d/size.yaml', 'max_upload_size: 100M\n'),
};

/** What `archipelago check-config` says in that folder, and its exit code at the end. */
async function checked(directory: string): Promise<string> {
  const cwd = process.cwd();
  const { stdout, stderr } = process;
  const writes = [stdout.write, stderr.write] as const;
  let said = '';
  const collect = (chunk: string | Uint8Array): boolean => {
    said += String(chunk);
    return true;
  };
  let code = 0;
  process.chdir(directory);
  stdout.write = collect;
  stderr.write = collect;
  try {
    await buildProgram().parseAsync(['node', 'archipelago', 'check-config']);
  } catch (error) {
    said += `archipelago: ${error instanceof Error ? error.message : String(error)}\n`;
    code = 1;
  } finally {
    [stdout.write, stderr.write] = writes;
    process.chdir(cwd);
  }
  return `${said.replaceAll(`${directory}/`, '')}exit code ${code}\n`;
}

/**
 * Wrong files and what is said of them, word for word. After a change of the words: UPDATE_GOLDEN=1, and read what
 * became of them.
 */
describe('What check-config says of', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    const what = name.slice(0, -'.yaml'.length);
    it(what, async () => {
      const files = new ConfigFolder(readFileSync(`${folder}${name}`));
      beside[what]?.(files);
      const said = await checked(realpathSync(files.directory));
      const expected = `${folder}${what}.txt`;
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(expected, said);
      assert.equal(said, readFileSync(expected, 'utf8'));
    });
  }

  it('at least twenty-two files', () => {
    assert.ok(readdirSync(folder).filter((file) => file.endsWith('.txt')).length >= 22);
  });
});
