import { roomClassType, sharedByInvitation } from '../../policy/room-class.ts';
import { noVerdicts } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { forbidden, requireAllowed } from '../errors.ts';
import { classOfRoom } from '../room-class.ts';
import { addLocal, inRoom } from '../send.ts';
import { keepAcl } from '../server-acl.ts';

/** So long an invitation waits for the island that keeps the room's ACL to let the invited server in. */
const aclWaitMs = 5_000;
const aclStepMs = 50;

/**
 * Before somebody of a partner that is not in the room is invited: the islands concerned are asked, the room becomes
 * shared with that partner if the inviter has the power to say so, and its ACL admits it. Throws 403 where somebody
 * says no.
 */
export async function shareWith(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  server: string,
): Promise<void> {
  const room = await ctx.rooms.get(roomId);
  if (room === undefined || room.residents().has(server)) return;
  requireAllowed(await ctx.border.mayAdmit(room, [server]));
  await widenClass(ctx, userId, roomId, server);
  // Before the invited join: whoever comes finds the ACL in the room that they are given.
  await keepAcl(ctx, roomId);
  await aclAdmits(ctx, roomId, server);
}

/** Without the power the room's class stays as it is: the border has decided whether the invitation fits it. */
async function widenClass(ctx: RoomContext, userId: string, roomId: string, server: string): Promise<void> {
  await inRoom(ctx, roomId, async (room) => {
    const nothing = { result: undefined, written: Promise.resolve() };
    const { class: name, sharedWith, byInvitation } = classOfRoom(room);
    // What people chose stays as it is.
    if (name !== undefined && (byInvitation !== true || sharedWith.includes(server))) return nothing;
    if (room.powerLevelOf(userId) < room.powerLevelFor(roomClassType, true)) return nothing;
    const all = [...sharedWith, ...room.residents().keys(), server];
    const content = sharedByInvitation(all.filter((other) => other !== ctx.serverName));
    const event = { type: roomClassType, stateKey: '', sender: userId, content };
    const decision = await ctx.border.maySend(room, event, noVerdicts);
    if (!decision.allowed) return nothing;
    const { written } = await addLocal(ctx, room, event);
    return { result: undefined, written };
  });
}

/** Another island may keep the ACL: it reacts to the room's new class within a moment. */
async function aclAdmits(ctx: RoomContext, roomId: string, server: string): Promise<void> {
  for (let waited = 0; ; waited += aclStepMs) {
    const room = await ctx.rooms.get(roomId);
    if (room?.allowsServer(server) !== false) return;
    if (waited >= aclWaitMs) throw forbidden(`The room denies the server ${server}`);
    await new Promise<void>((resolve) => ctx.clock.setTimer(aclStepMs, resolve));
  }
}
