import type { RoomEvent } from '../../protocol/event.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersions } from '../../protocol/room-versions.ts';
import { signEvent } from '../../protocol/signing.ts';
import type { RoomContext } from '../context.ts';
import { badGateway, RoomError } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import { checkedEvents } from '../receive/outliers.ts';
import { checkWire } from '../receive/wire.ts';
import type { JoinOptions } from '../types.ts';
import { joinContent } from './join-content.ts';
import { remoteRefusal } from './remote-refusal.ts';
import { type GivenRoom, requireSize, storeRoom } from './store-room.ts';
import { eventFromTemplate } from './template.ts';

/**
 * Joins through one of the servers ("Joining Rooms"): template, signature, `send_join`, and the room as it
 * was before the join, all of it checked. Servers are tried in turn until one succeeds.
 */
export async function joinRemotely(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  servers: readonly string[],
  options: JoinOptions,
): Promise<void> {
  let failure: unknown;
  for (const server of servers) {
    try {
      const answer = await handshake(ctx, userId, roomId, server, options);
      await storeRoom(ctx, answer, servers, [userId]);
      return;
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      ctx.log.info({ err: error, server, roomId }, 'join through a partner failed');
      failure ??= remoteRefusal(server, 'join', error);
      // A refusal says more than "not reachable".
      if (error.kind === 'refused' && !(failure instanceof RoomError && failure.status < 500))
        failure = remoteRefusal(server, 'join', error);
    }
  }
  throw failure ?? badGateway('No server could be asked');
}

async function handshake(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  server: string,
  options: JoinOptions,
): Promise<GivenRoom> {
  const template = await ctx.remote.makeJoin(server, roomId, userId, [...roomVersions.keys()]);
  const { pdu: draft, version } = eventFromTemplate(template, {
    roomId,
    userId,
    membership: 'join',
    content: await joinContent(ctx, userId, options),
    now: ctx.clock.now(),
  });
  const { pdu, eventId } = signEvent(draft, version, ctx.serverName, ctx.signingKey);
  const answer = await ctx.remote.sendJoin(server, roomId, eventId, pdu);
  requireSize(answer.state.length + answer.authChain.length);
  const own: RoomEvent = { eventId, roomId, pdu, rejected: false };
  return {
    event: countersigned(ctx, own, version, answer.event),
    version,
    state: await checkedEvents(ctx, roomId, version, answer.state),
    authChain: await checkedEvents(ctx, roomId, version, answer.authChain),
  };
}

/** Our join as the resident server sends it on: with its signature, if it had to vouch for us. */
function countersigned(
  ctx: RoomContext,
  own: RoomEvent,
  version: RoomVersion,
  theirs: JsonValue | undefined,
): RoomEvent {
  if (theirs === undefined || theirs === null) return own;
  const wire = checkWire(theirs, version, ctx.keys);
  if (!wire.ok || wire.event.eventId !== own.eventId) return own;
  const signatures = { ...wire.event.pdu.signatures, ...own.pdu.signatures };
  return { ...own, pdu: { ...own.pdu, signatures } };
}
