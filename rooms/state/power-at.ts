import { stateKeyOf } from '../../protocol/event.ts';
import { PowerLevels } from '../../protocol/power-levels.ts';
import { lookupOver } from '../auth.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import type { StateSet } from './state-set.ts';

/** The power levels of the room at one state. */
export async function powerLevelsAt(ctx: RoomContext, room: Room, set: StateSet): Promise<PowerLevels> {
  if (set.group === room.current.group) return room.powerLevels;
  const ids = ['m.room.create', 'm.room.power_levels'].map((type) => set.get(stateKeyOf(type, '')));
  const events = await ctx.lookup.many(
    ids.filter((id) => id !== undefined),
    room,
  );
  const state = lookupOver(events.values());
  return new PowerLevels(state.get('m.room.create', ''), state.get('m.room.power_levels', ''), room.version);
}
