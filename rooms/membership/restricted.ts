import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject } from '../../protocol/json.ts';
import type { RoomContext } from '../context.ts';
import { forbidden, RoomError } from '../errors.ts';
import type { Room } from '../room.ts';

/** More conditions than this are not looked at. */
const maxConditions = 50;

/** Is the room's join rule one that lets members of other rooms in? */
function isRestricted(room: Room): boolean {
  const rule = room.content('m.room.join_rules')['join_rule'];
  return rule === 'restricted' || rule === 'knock_restricted';
}

/**
 * Who of ours can vouch for a join to a restricted room ("Restricted rooms")? Undefined where none is
 * needed: another join rule, or the user is invited or joined. Throws 403 when a condition is not met, 400
 * `M_UNABLE_TO_AUTHORISE_JOIN` when we cannot tell, 400 `M_UNABLE_TO_GRANT_JOIN` when none of ours may
 * invite.
 */
export async function authoriserFor(
  ctx: RoomContext,
  room: Room,
  userId: string,
): Promise<string | undefined> {
  const membership = room.membership(userId);
  if (!isRestricted(room) || membership === 'invite' || membership === 'join') return undefined;
  if (membership === 'ban') throw forbidden('You are banned from this room');
  let known = false;
  let met = false;
  const allow = room.content('m.room.join_rules')['allow'];
  for (const condition of Array.isArray(allow) ? allow.slice(0, maxConditions) : []) {
    if (!isObject(condition) || condition['type'] !== 'm.room_membership') continue;
    const other = condition['room_id'];
    if (typeof other !== 'string') continue;
    const view = await ctx.rooms.get(other);
    if (view === undefined || !view.hasLocalMember()) continue;
    known = true;
    if (view.membership(userId) === 'join') {
      met = true;
      break;
    }
  }
  if (!met) {
    if (known) throw forbidden('You are in none of the rooms whose members may join');
    throw new RoomError(
      400,
      'M_UNABLE_TO_AUTHORISE_JOIN',
      'This server knows none of the rooms that let you in',
    );
  }
  for (const member of room.joinedUsers()) {
    if (serverNameOf(member) === ctx.serverName && room.powerLevelOf(member) >= room.powerLevels.invite)
      return member;
  }
  throw new RoomError(400, 'M_UNABLE_TO_GRANT_JOIN', 'Nobody of this server may let you in');
}
