import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print } from './terminal.ts';

interface Options extends ConfigOption {
  readonly reason?: string;
  readonly keepRooms?: boolean;
}

export function addPartnerSuspend(partners: Command): void {
  const command = partners
    .command('suspend <server-name>')
    .description(
      'Cut a partner off, at once: the link closes and shared rooms can be read and no longer written. What is still to be delivered waits for `partner resume`.',
    )
    .option('--reason <text>', 'why, for the audit log')
    .option('--keep-rooms', 'rooms that have other partners too stay open');
  withConfig(command).action(async (serverName: string, options: Options) => {
    const { reason, keepRooms = false } = options;
    const config = await readConfiguration(options.config);
    const { was_suspended: wasSuspended, people } = await administer(config, 'partner.suspend', {
      server_name: serverName,
      keep_rooms: keepRooms,
      ...(reason === undefined ? {} : { reason }),
    });
    print(
      wasSuspended
        ? `${serverName} was suspended already.`
        : `${serverName} is suspended: nothing passes until \`archipelago partner resume ${serverName}\`. ${told(people)}`,
    );
  });
}

/** Who is told of a change to a partner. */
export function told(people: number): string {
  if (people === 0) return 'Nobody of yours shares a room with it.';
  return people === 1
    ? 'The one of yours who shares rooms with it is told by a server notice.'
    : `The ${people} of yours who share rooms with it are told by server notices.`;
}
