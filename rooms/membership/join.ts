import { serverNameOf } from '../../protocol/identifiers.ts';
import { consulted } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { forbidden, notFound, RoomError, requireAllowed } from '../errors.ts';
import { addLocal, inRoom } from '../send.ts';
import type { JoinOptions } from '../types.ts';
import { joinContent } from './join-content.ts';
import { joinRemotely } from './remote-join.ts';
import { authoriserFor } from './restricted.ts';

/** So many servers are asked to help with one join. */
const maxCandidates = 8;

/**
 * Joins a user of ours to a room: by an event of ours where the server is in the room, else through a
 * partner that is. Joining twice is no error. Throws 403, 404 (nobody to join through), the 400s of
 * restricted rooms, 502.
 */
export async function joinRoom(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  options: JoinOptions = {},
): Promise<void> {
  // A second of ours who joins a room waits for the first and then joins as a neighbour.
  await ctx.joins.run(roomId, async () => {
    const room = await ctx.rooms.get(roomId);
    if (room?.hasLocalMember() === true) {
      if (room.membership(userId) === 'join') return;
      if (await joinLocally(ctx, userId, roomId, options)) return;
    }
    const candidates = await candidatesFor(ctx, userId, roomId, options);
    if (candidates.length === 0) throw notFound('No server is known through which this room could be joined');
    const joining = joinRemotely(ctx, userId, roomId, await allowedOf(ctx, userId, candidates), options);
    ctx.joining.set(roomId, joining);
    try {
      await joining;
    } finally {
      ctx.joining.delete(roomId);
    }
  });
}

/** The servers through which the border lets the user join; throws 403 if there is none. */
async function allowedOf(ctx: RoomContext, userId: string, servers: readonly string[]): Promise<string[]> {
  const decisions = await Promise.all(
    servers.map(async (server) => {
      const verdicts = await consulted(ctx, { kind: 'join', userId, where: server });
      return [server, ctx.border.mayJoin(userId, server, verdicts)] as const;
    }),
  );
  const allowed = decisions.filter(([, decision]) => decision.allowed).map(([server]) => server);
  if (allowed.length === 0) for (const [, decision] of decisions) requireAllowed(decision);
  return allowed;
}

/** False: nobody of ours may vouch for the user, another server of the room might. */
async function joinLocally(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  options: JoinOptions,
): Promise<boolean> {
  const content = await joinContent(ctx, userId, options);
  const room = await ctx.rooms.get(roomId);
  if (room === undefined) return false;
  try {
    const authoriser = await authoriserFor(ctx, room, userId);
    if (authoriser !== undefined) content['join_authorised_via_users_server'] = authoriser;
  } catch (error) {
    if (error instanceof RoomError && error.status === 400 && othersOf(ctx, room.joinedServers()).length > 0)
      return false;
    throw error;
  }
  const verdicts = await consulted(ctx, { kind: 'join', userId, where: room });
  await inRoom(ctx, roomId, (current) => {
    if (current.membership(userId) === 'ban') throw forbidden('You are banned from this room');
    requireAllowed(ctx.border.mayJoin(userId, current, verdicts));
    const also = ctx.store.dropInviteOps(roomId, userId);
    return addLocal(
      ctx,
      current,
      { type: 'm.room.member', sender: userId, stateKey: userId, content },
      { also },
    );
  });
  return true;
}

function othersOf(ctx: RoomContext, servers: Iterable<string>): string[] {
  return [...new Set(servers)].filter(
    (server) => server !== '' && server !== ctx.serverName && ctx.border.mayTalkTo(server),
  );
}

async function candidatesFor(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  options: JoinOptions,
): Promise<string[]> {
  const invite = await ctx.store.invite(roomId, userId);
  const room = await ctx.rooms.get(roomId);
  const inviter = invite?.event['sender'];
  return othersOf(ctx, [
    ...(options.via ?? []),
    ...(invite === undefined ? [] : [invite.origin]),
    ...(typeof inviter === 'string' ? [serverNameOf(inviter)] : []),
    ...(room?.joinedServers() ?? []),
    ...(await ctx.store.joinedVia(roomId)),
    serverNameOf(roomId),
  ]).slice(0, maxCandidates);
}
