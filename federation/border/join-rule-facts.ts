import { isObject, type JsonObject } from '../../protocol/json.ts';

/** Servers with somebody joined to a room, of a room that is in memory. */
export type ServersIn = (roomId: string) => ReadonlySet<string> | undefined;

/**
 * Does this content of `m.room.join_rules` let somebody in whom nobody of the room invited? A restricted room does
 * not as long as the rooms whose members may join have no other servers in them than these.
 */
export function opensJoins(content: JsonObject, servers: readonly string[], serversIn: ServersIn): boolean {
  const { join_rule: rule, allow } = content;
  if (rule !== 'restricted') return rule === 'public' || rule === 'knock' || rule === 'knock_restricted';
  if (!Array.isArray(allow)) return false;
  return allow.some((condition) => {
    if (!isObject(condition) || condition['type'] !== 'm.room_membership') return false;
    const roomId = condition['room_id'];
    const others = typeof roomId === 'string' ? serversIn(roomId) : undefined;
    // Of a room that we do not know anybody may be a member.
    return others === undefined || [...others].some((server) => !servers.includes(server));
  });
}
