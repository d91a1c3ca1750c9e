import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../../config/units.ts';
import { type ExplainedAction, explainedActions } from '../../federation/border/explained-actions.ts';
import { parseUserId } from '../../protocol/identifiers.ts';
import type { ResultOf } from '../admin/table.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { plain, print } from './terminal.ts';

interface Options extends ConfigOption {
  readonly from: string;
  readonly to: string;
  readonly action: ExplainedAction;
  readonly room?: string;
  readonly eventType?: string;
  readonly size?: number;
  readonly mime?: string;
  readonly encrypted?: boolean;
  readonly json?: boolean;
}

export function addPolicyExplain(policy: Command): void {
  const command = policy
    .command('explain')
    .description(
      'Say whether something may cross the border, and which line decides. Nothing is done. It is the word of this island; the other side has a border of its own.',
    )
    .requiredOption('--from <user>', 'who does it, as @li:acme.example', userId)
    .requiredOption('--to <user>', 'whom it reaches; one of the two is of this island', userId)
    .addOption(
      new Option('--action <action>', 'what is done').choices(explainedActions).makeOptionMandatory(),
    )
    .option('--room <id>', 'a room that this island holds; else one is imagined')
    .option('--event-type <type>', 'of a message')
    .option('--size <size>', 'of a file, as 5M', size)
    .option('--mime <type>', 'of a file, as image/png')
    .option('--encrypted', 'end-to-end encrypted')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: Options) => {
    const { from, to, action, room, eventType, mime, encrypted, json } = options;
    const config = await readConfiguration(options.config);
    const isOurs = [from, to].some((user) => parseUserId(user)?.serverName === config.serverName);
    if (!isOurs)
      command.error(
        `Neither ${from} nor ${to} is of ${config.serverName}: what passes between others is not decided here`,
      );
    const explained = await administer(config, 'policy.explain', {
      from,
      to,
      action,
      ...(room === undefined ? {} : { room }),
      ...(eventType === undefined ? {} : { event_type: eventType }),
      ...(options.size === undefined ? {} : { size: options.size }),
      ...(mime === undefined ? {} : { mime }),
      ...(encrypted === undefined ? {} : { encrypted }),
    });
    const { decision, violations } = explained;
    if (json === true) print(JSON.stringify({ decision, violations }));
    else print(describe(explained, `${action} from ${from} to ${to}`));
  });
}

function describe({ decision, violations, assumed }: ResultOf<'policy.explain'>, deed: string): string {
  const reasons = violations.flatMap(({ code, message, rule }) => [`  ${message}`, `    ${code}, ${rule}`]);
  const taken = assumed.length === 0 ? [] : ['Assumed:', ...assumed.map((sentence) => `  ${sentence}`)];
  return [`${decision}: ${deed}`, ...reasons, ...taken].map(plain).join('\n');
}

function userId(text: string): string {
  if (parseUserId(text) === undefined) throw new InvalidArgumentError('A user id is written @name:server.');
  return text;
}

function size(text: string): number {
  const bytes = text === '0' ? 0 : parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('A size is written 512K, 5M, 2G, or in bytes.');
  return bytes;
}
