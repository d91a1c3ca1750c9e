import type { Command } from 'commander';
import type { ResultOf } from '../admin/table.ts';
import { AdminError } from '../admin-error.ts';
import { administer, administration } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print } from './terminal.ts';

export function addAuditVerify(audit: Command): void {
  const command = audit
    .command('verify')
    .description('Check that no line of the audit log was changed, taken out or cut off.');
  withConfig(command).action(async (options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { lines, fault } = await administer(config, 'audit.verify', {});
    if (fault !== null) throw new AdminError(`The audit log is not whole: ${describe(fault)}`);
    print(`The audit log is whole: ${lines} lines.`);
  });
}

export function addAuditExport(audit: Command): void {
  const command = audit
    .command('export')
    .description('Write the audit log to standard output, one JSON object a line, oldest first.');
  withConfig(command).action(async (options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    await administration(config, async (island) => {
      for (let after = 0; ; ) {
        const { lines, next } = await island.call('audit.page', { after });
        for (const record of lines) print(JSON.stringify(record));
        if (next === null) return;
        after = next;
      }
    });
  });
}

function describe(fault: NonNullable<ResultOf<'audit.verify'>['fault']>): string {
  if (fault.kind === 'altered') return `line ${fault.seq} was altered`;
  if (fault.kind === 'missing') return `line ${fault.seq} is missing`;
  return `line ${fault.seq} does not belong after the one before it`;
}
