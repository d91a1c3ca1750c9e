import { stateKeyOf } from '../../protocol/event.ts';
import { PowerLevels } from '../../protocol/power-levels.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import type { StateSet } from './state-set.ts';

/** The power levels of the room at one state. */
export async function powerLevelsAt(ctx: RoomContext, room: Room, set: StateSet): Promise<PowerLevels> {
  if (set.group === room.current.group) return room.powerLevels;
  const createId = set.get(stateKeyOf('m.room.create', ''));
  const levelsId = set.get(stateKeyOf('m.room.power_levels', ''));
  const events = await ctx.lookup.many(
    [createId, levelsId].filter((id) => id !== undefined),
    room,
  );
  return new PowerLevels(
    createId === undefined ? undefined : events.get(createId),
    levelsId === undefined ? undefined : events.get(levelsId),
    room.version,
  );
}
