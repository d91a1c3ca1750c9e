import { serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import { aclHostOf, isAllowedByAcl, isIpLiteral } from '../protocol/server-acl.ts';
import { noVerdicts } from './consult.ts';
import type { RoomContext } from './context.ts';
import { RoomError } from './errors.ts';
import type { Room } from './room.ts';
import { addLocal, inRoom } from './send.ts';
import type { RoomView } from './types.ts';

const aclType = 'm.room.server_acl';

/**
 * Who keeps the room's ACL: of those in it who may, whoever has the most power; of equals the one whose server made
 * the room, then the first by name. Every island comes to the same answer, so that two do not undo each other's work.
 */
function keeperOf(room: RoomView): string | undefined {
  const create = room.get('m.room.create', '');
  const maker = create === undefined ? '' : serverNameOf(create.pdu.sender);
  const needed = room.powerLevelFor(aclType, true);
  let keeper: { userId: string; level: number; isMakers: boolean } | undefined;
  for (const userId of room.joinedUsers()) {
    const level = room.powerLevelOf(userId);
    if (level < needed) continue;
    const other = { userId, level, isMakers: serverNameOf(userId) === maker };
    if (keeper === undefined || comesBefore(other, keeper)) keeper = other;
  }
  return keeper?.userId;
}

interface Candidate {
  readonly userId: string;
  readonly level: number;
  readonly isMakers: boolean;
}

function comesBefore(one: Candidate, other: Candidate): boolean {
  if (one.level !== other.level) return one.level > other.level;
  if (one.isMakers !== other.isMakers) return one.isMakers;
  return one.userId < other.userId;
}

/**
 * The ACL that allows these servers by name and nobody else. What people wrote into it stays where it denies
 * somebody; undefined for one that would shut ourselves out, or that says the same as the one in force.
 */
export function aclFor(
  current: JsonObject | undefined,
  servers: readonly string[],
  ourServer: string,
): JsonObject | undefined {
  const allow = [...new Set([ourServer, ...servers].map(aclHostOf))].sort();
  const deny = Array.isArray(current?.['deny']) ? current['deny'] : [];
  const literals = current?.['allow_ip_literals'];
  const content = {
    allow,
    deny,
    // Undefined means yes; a name that is an address needs it.
    allow_ip_literals: typeof literals === 'boolean' ? literals : allow.some(isIpLiteral),
  };
  if (!isAllowedByAcl(content, ourServer)) return undefined;
  return current !== undefined && JSON.stringify(sorted(current)) === JSON.stringify(sorted(content))
    ? undefined
    : content;
}

function sorted({ allow, deny, allow_ip_literals: literals }: JsonObject): unknown[] {
  return [Array.isArray(allow) ? [...allow].sort() : allow, deny, literals];
}

/**
 * Brings the ACL of a room that is for certain partners into step with who may be in it, if it is one of ours who
 * keeps it. Says whether the ACL was changed. Nothing of ours depends on it: it is for the other servers.
 */
export async function keepAcl(ctx: RoomContext, roomId: string): Promise<boolean> {
  const isDue = (room: Room | undefined): { sender: string; content: JsonObject } | undefined => {
    if (room === undefined || !room.hasLocalMember()) return undefined;
    const servers = ctx.border.admitted(room);
    if (servers === undefined) return undefined;
    const sender = keeperOf(room);
    if (sender === undefined || serverNameOf(sender) !== ctx.serverName) return undefined;
    const content = aclFor(room.get(aclType, '')?.pdu.content, servers, ctx.serverName);
    return content === undefined ? undefined : { sender, content };
  };
  if (isDue(await ctx.rooms.get(roomId)) === undefined) return false;
  return inRoom(ctx, roomId, async (room) => {
    const due = isDue(room);
    if (due === undefined) return { result: false, written: Promise.resolve() };
    const event = { type: aclType, stateKey: '', ...due };
    const decision = await ctx.border.maySend(room, event, noVerdicts);
    if (!decision.allowed) return { result: false, written: Promise.resolve() };
    try {
      const { written } = await addLocal(ctx, room, event);
      return { result: true, written };
    } catch (error) {
      if (!(error instanceof RoomError)) throw error;
      ctx.log.warn({ err: error, roomId }, 'the ACL of a shared room could not be written');
      return { result: false, written: Promise.resolve() };
    }
  });
}
