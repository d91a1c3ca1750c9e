import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

export function addRoomListFrozen(rooms: Command): void {
  const command = rooms
    .command('list-frozen')
    .description('List the rooms into which somebody else let a server that may not be there.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const { rooms: list } = await administer(config, 'room.list-frozen', {});
    if (options.json === true) print(JSON.stringify(list, null, 2));
    else if (list.length === 0) print('No room is frozen.');
    else
      print(
        table(
          ['ROOM', 'NAME', 'SERVER', 'AGAINST THE POLICY FOR', 'STATE', 'SINCE'],
          list.map((room) => [
            room.room_id,
            room.name ?? '',
            room.server,
            room.partner,
            room.state,
            new Date(room.since).toISOString(),
          ]),
        ),
      );
  });
}

export function addRoomUnfreeze(rooms: Command): void {
  const command = rooms
    .command('unfreeze <room-id>')
    .description('Let people of this island write to a frozen room again.')
    .option('--accept', 'the servers for which it was frozen may stay there');
  withConfig(command).action(
    async (roomId: string, options: ConfigOption & { readonly accept?: boolean }) => {
      const config = await readConfiguration(options.config);
      const { was_frozen: wasFrozen } = await administer(config, 'room.unfreeze', {
        room_id: roomId,
        accept: options.accept === true,
      });
      print(wasFrozen ? `${roomId} is open again.` : `${roomId} was not frozen.`);
    },
  );
}
