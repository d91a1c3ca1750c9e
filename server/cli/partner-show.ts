import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import type { PartnerView } from '../partners/show-partner.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { plain, print, table } from './terminal.ts';

export function addPartnerShow(partners: Command): void {
  const command = partners
    .command('show <server-name>')
    .description(
      'Show a partner: what the files say, what was done at run time, what holds of the two, and where each comes from.',
    )
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(
    async (serverName: string, options: ConfigOption & { readonly json?: boolean }) => {
      const config = await readConfiguration(options.config);
      const view = await administer(config, 'partner.show', { server_name: serverName });
      if (options.json === true) print(JSON.stringify(view, null, 2));
      else print(described(view).map(plain).join('\n'));
    },
  );
}

function described(view: PartnerView): string[] {
  const { files, overlay, effective, wrong_key: wrong } = view;
  const title = [view.display_name, view.relation].filter((part) => part !== undefined).join(', ');
  return [
    `${view.server_name}${title === '' ? '' : ` (${title})`}`,
    '',
    `What the files say (${files.from})`,
    `  State:     ${files.state}${files.valid_until_ts === undefined ? '' : `, until ${iso(files.valid_until_ts)}`}`,
    `  Link:      ${files.urls.join(', ') || 'they dial us'} (dial: ${files.dial})`,
    `  Rotation:  ${files.rotation}`,
    ...(files.card_issued_ts === undefined ? [] : [`  Card:      issued ${iso(files.card_issued_ts)}`]),
    '',
    'What was done at run time (database)',
    ...indented(overlayLines(overlay)),
    '',
    `What holds: ${effective.state}${effective.why === undefined ? '' : `. ${effective.why}`} (${effective.from})`,
    ...(wrong === undefined
      ? []
      : [
          `  THEY SHOW ANOTHER KEY, and have no link: ${wrong.key_id}, ${wrong.fingerprint}`,
          ...adviceOf(view, wrong),
        ]),
    '',
    ...table(
      ['KEY', 'STATE', 'FINGERPRINT', 'FROM'],
      [
        ...effective.keys.map((key) => [key.key_id, stateOf(key), key.fingerprint, key.from]),
        ...effective.recovery_keys.map((key) => [key.key_id, 'recovery', key.fingerprint, files.from]),
      ],
    ).split('\n'),
    '',
    ...table(
      ['POLICY', 'VALUE', 'FROM'],
      effective.policy.map(({ key, value, from }) => [key, value, from]),
    ).split('\n'),
  ];
}

/** What to do about a key that is not pinned. One that was revoked stays so, and is not to be accepted again. */
function adviceOf(
  { server_name, overlay }: PartnerView,
  wrong: NonNullable<PartnerView['wrong_key']>,
): string[] {
  const seen = `Seen ${wrong.times === 1 ? 'once' : `${wrong.times} times`}, last ${iso(wrong.seen_ts)}.`;
  if (overlay.revoked_keys.some(({ key_id }) => key_id === wrong.key_id))
    return [
      `  It was revoked here, and stays so. ${seen} They have to rotate with their recovery key, or send a new card.`,
    ];
  const proof = wrong.announced ? 'A statement proves it, and rotation is manual.' : 'Nothing proves it.';
  return [
    `  ${proof} ${seen} After comparing by phone:`,
    `  archipelago partner accept-key ${server_name} ${wrong.key_id} ${wrong.key}`,
  ];
}

function stateOf({ state, valid_until_ts: end }: PartnerView['effective']['keys'][number]): string {
  if (end === undefined) return state;
  return `${state} (${state === 'in use' ? 'until' : 'since'} ${iso(end)})`;
}

function overlayLines({
  suspended,
  accepted_keys,
  ended_keys,
  revoked_keys,
}: PartnerView['overlay']): string[] {
  const lines = [
    ...(suspended === undefined
      ? []
      : [
          `suspended by ${suspended.by} at ${iso(suspended.since_ts)}${suspended.reason === undefined ? '' : `: ${suspended.reason}`}${suspended.keep_rooms ? ' (rooms kept)' : ''}`,
        ]),
    ...accepted_keys.map(({ key_id, since_ts, by }) => `key ${key_id} accepted at ${iso(since_ts)} by ${by}`),
    ...ended_keys.map(({ key_id, at_ts }) => `key ${key_id} ends at ${iso(at_ts)}`),
    ...revoked_keys.map(({ key_id, since_ts, by }) => `key ${key_id} revoked at ${iso(since_ts)} by ${by}`),
  ];
  return lines.length === 0 ? ['nothing'] : lines;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function iso(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
