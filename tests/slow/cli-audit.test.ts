import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import { fails, newIsland } from '../cli/support.ts';
import { temporaryFolder } from '../support/folder.ts';
import { archipelago, buildProgram, succeeds } from '../support/program.ts';

describe('archipelago audit', function () {
  this.timeout(60_000);

  let config: string;
  let lines: string[];
  let head: string;

  before(async () => {
    await buildProgram();
    config = await newIsland('acme.test');
    for (const name of ['li', 'ann', 'bob'])
      await succeeds(['user', 'add', name, '--password', 'a long password', '-c', config]);
    await succeeds(['user', 'deactivate', 'bob', '-c', config]);
    const { stdout, stderr } = await archipelago(['audit', 'export', '-c', config]);
    lines = stdout.trim().split('\n');
    head = /with the hash (\S+)/.exec(stderr)?.[1] ?? '';
    assert.ok(lines.length >= 4);
  });

  /** A file with these lines. */
  function file(exported: readonly string[]): string {
    const path = join(temporaryFolder(), 'export.jsonl');
    writeFileSync(path, `${exported.join('\n')}\n`);
    return path;
  }

  const verify = (exported: readonly string[], ...more: string[]) => [
    ...['audit', 'verify', '--file', file(exported)],
    ...more,
  ];

  it('verify checks an export without the island, from its first line or a later one', async () => {
    const [whole = '', open = '', later = ''] = await Promise.all(
      [verify(lines, '--head', head), verify(lines), verify(lines.slice(2))].map((args) => succeeds(args)),
    );
    assert.equal(whole, `The export is whole: lines 1 to ${lines.length}.\n`);
    assert.match(open, /whether lines are missing after that, only --head can tell/);
    assert.match(later, new RegExp(`lines 3 to ${lines.length}\\.`));
  });

  it('verify names a line of an export that was altered, taken out or moved, and sees an end cut off', async () => {
    const [first = '', second = '', third = '', ...rest] = lines;
    const altered = second.replace('@ann:acme.test', '@eve:acme.test');
    assert.notEqual(altered, second);
    // A record that was written anew breaks the chain behind it.
    const anew = JSON.stringify({ ...(JSON.parse(second) as AuditRecord), prev: 'x' });
    await Promise.all([
      fails(verify([first, altered, third, ...rest]), /not whole: line 2 was altered/),
      fails(verify([first, third, ...rest]), /not whole: line 2 is missing/),
      fails(verify([first, third, second, ...rest]), /not whole: line 2 is missing/),
      fails(verify(lines.slice(0, -1), '--head', head), /The end of the export is missing/),
      fails(verify([first, 'no line']), /Line 2 of the file is not one of an audit log/),
      fails(['audit', 'verify', '--file', 'absent.jsonl'], /There is no file/),
      fails(verify([first, anew, third]), /line 2 was altered/),
    ]);
  });

  it('export takes a time and an action, and writes syslog messages too', async () => {
    const exported = async (...args: string[]): Promise<string[]> => {
      const text = await succeeds(['audit', 'export', ...args, '-c', config]);
      return text === '' ? [] : text.trim().split('\n');
    };
    assert.equal((await exported('--action', 'user.deactivate')).length, 1);
    assert.equal((await exported('--action', 'user')).length, 4);
    assert.deepEqual(await exported('--action', 'use'), []);
    assert.deepEqual(await exported('--since', '1d'), lines);
    assert.deepEqual(await exported('--until', '1d'), []);
    assert.deepEqual(await exported('--since', '2099-01-01'), []);
    const messages = await exported('--format', 'syslog');
    assert.equal(messages.length, lines.length);
    assert.match(messages[0] ?? '', /^<110>1 \S+Z acme\.test archipelago - \S+ \[archipelago@32473 seq="1" /);
    const { code } = await archipelago(['audit', 'export', '--since', 'soon', '-c', config]);
    assert.equal(code, 2);
  });
});
