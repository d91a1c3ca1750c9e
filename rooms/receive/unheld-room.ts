import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonValue } from '../../protocol/json.ts';
import { roomVersion } from '../../protocol/room-versions.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import type { RoomContext } from '../context.ts';
import { endInvite } from '../membership/leave.ts';
import type { ReceiveOutcome } from '../types.ts';
import { writeAlso } from './admit.ts';
import { checkWire } from './wire.ts';

/**
 * An event of a room that none of ours is in. One kind means something to us: the withdrawal of an
 * invitation of one of ours, by the inviter's server. Everything else is none of our business: undefined.
 */
export async function receiveForUnheldRoom(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  pdu: JsonValue,
  also: readonly WriteOp[] | undefined,
): Promise<ReceiveOutcome | undefined> {
  const target = removedOfOurs(ctx, pdu);
  if (target === undefined) return undefined;
  const invite = await ctx.store.invite(roomId, target);
  if (invite === undefined) return undefined;
  const create = invite.strippedState.find((state) => state.type === 'm.room.create');
  const version = roomVersion(String(create?.content['room_version'] ?? '1'));
  if (version === undefined) return undefined;
  const wire = checkWire(pdu, version, ctx.keys);
  if (!wire.ok || wire.event.roomId !== roomId) return undefined;
  // Without the room's state we cannot judge by power: we believe the server that invited.
  if (serverNameOf(wire.event.pdu.sender) !== invite.origin || origin !== invite.origin) return undefined;
  await endInvite(ctx, target, roomId);
  await writeAlso(ctx, also);
  return { kind: 'accepted', eventId: wire.event.eventId };
}

/** Does it say that one of ours is not, or no longer, in a room? */
export function isRemovalOfOurs(ctx: RoomContext, pdu: JsonValue): boolean {
  return removedOfOurs(ctx, pdu) !== undefined;
}

function removedOfOurs(ctx: RoomContext, pdu: JsonValue): string | undefined {
  if (!isObject(pdu) || pdu['type'] !== 'm.room.member' || !isObject(pdu['content'])) return undefined;
  const target = pdu['state_key'];
  const { membership } = pdu['content'];
  if (typeof target !== 'string' || (membership !== 'leave' && membership !== 'ban')) return undefined;
  return serverNameOf(target) === ctx.serverName ? target : undefined;
}
