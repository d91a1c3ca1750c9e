import type { Command } from 'commander';
import type { ResultOf } from '../admin/table.ts';
import { type ConfigOption, readConfiguration, readFiles, withConfig } from './configuration.ts';
import { readText } from './read-text.ts';
import { runningIsland } from './reload.ts';
import { note, print } from './terminal.ts';

export function addConfigShow(config: Command): void {
  const command = config
    .command('show')
    .description(
      'Print what the files say together, each value with its file and line. Secrets are not shown. What a running island has in force may differ: see `config diff`.',
    )
    .option('--effective', 'with every default');
  withConfig(command).action(async (options: ConfigOption & { readonly effective?: boolean }) => {
    const { effective } = await readFiles(options.config);
    const { renderConfig } = await import('../../config/render.ts');
    process.stdout.write(renderConfig(effective, { defaults: options.effective === true }));
  });
}

export function addConfigDiff(config: Command): void {
  const command = config
    .command('diff')
    .description(
      'Compare the running island with its files: what `archipelago reload` would change, and what waits for a restart.',
    )
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const island = await runningIsland(options.config);
    if (island === undefined) {
      await readConfiguration(options.config);
      print(
        options.json === true
          ? JSON.stringify({ running: false })
          : 'The island does not run: everything in its files holds from the next start.',
      );
      return;
    }
    const diff = await island.call('config.diff', {});
    print(options.json === true ? JSON.stringify({ running: true, ...diff }, null, 2) : describeDiff(diff));
  });
}

export function addConfigImportSynapse(config: Command): void {
  config
    .command('import-synapse <file>')
    .description(
      "Write our configuration to standard output, made of Synapse's homeserver.yaml. Secrets are not copied, and nobody becomes a partner by it.",
    )
    .action(async (file: string) => {
      const { importSynapse } = await import('./import-synapse.ts');
      const { text, notes } = importSynapse(await readText(file, 'a configuration of Synapse'));
      for (const line of notes) note(`note: ${line}`);
      process.stdout.write(text);
    });
}

/** The differences for people, in the order of what has to be done. */
function describeDiff({ partners, changes }: ResultOf<'config.diff'>): string {
  const of = (effect: 'reload' | 'restart'): string[] =>
    changes
      .filter(({ takes_effect }) => takes_effect === effect)
      .map(({ key, before, after }) => `  ${key}: ${before ?? 'not set'} -> ${after ?? 'not set'}`);
  const reload = [
    ...partners.added.map((name) => `  new partner ${name}`),
    ...partners.removed.map((name) => `  no longer a partner: ${name}`),
    ...of('reload'),
  ];
  const restart = of('restart');
  const parts = [
    ...(reload.length === 0 ? [] : ['A reload would change:', ...reload]),
    ...(restart.length === 0 ? [] : ['Waits for a restart:', ...restart]),
  ];
  return parts.length === 0 ? 'The running island and its files say the same.' : parts.join('\n');
}
