import type { RoomEvent } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersions } from '../../protocol/room-versions.ts';
import { signEvent } from '../../protocol/signing.ts';
import type { RoomContext } from '../context.ts';
import { badGateway, deniedByBorder, RoomError, requireAllowed } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import { checkedEvents } from '../receive/outliers.ts';
import { checkWire } from '../receive/wire.ts';
import type { JoinOptions } from '../types.ts';
import { joinContent } from './join-content.ts';
import { leaveThrough } from './leave.ts';
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
  // Nothing is signed for a room in which there are servers that may not be together with us.
  if (template.servers !== undefined) requireAllowed(ctx.border.mayBeWith([...template.servers, server]));
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
  await requireCompany(ctx, userId, roomId, server, answer.state);
  const own: RoomEvent = { eventId, roomId, pdu, rejected: false };
  return {
    event: countersigned(ctx, own, version, answer.event),
    version,
    state: await checkedEvents(ctx, roomId, version, answer.state),
    authChain: await checkedEvents(ctx, roomId, version, answer.authChain),
  };
}

/**
 * Not every server says beforehand who is in the room; what it gives with the join says it. If the border does not want
 * them together with us, the user leaves at once and the room is not kept. Throws 403.
 */
async function requireCompany(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  server: string,
  state: readonly JsonValue[],
): Promise<void> {
  const decision = ctx.border.mayBeWith([...joinedIn(state), server]);
  if (decision.allowed) return;
  try {
    await leaveThrough(ctx, server, roomId, userId, {});
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    ctx.log.error(
      { err: error, alarm: 'room-not-left', roomId, partner: server, userId },
      'a join that the border forbids could not be taken back',
    );
  }
  throw deniedByBorder(decision.violations);
}

/** Servers with somebody joined, as a partner tells the state: of many of them we could verify nothing. */
function joinedIn(state: readonly JsonValue[]): string[] {
  const servers = new Set<string>();
  for (const event of state) {
    if (!isObject(event) || event['type'] !== 'm.room.member') continue;
    const { state_key: member, content } = event;
    if (typeof member === 'string' && isObject(content) && content['membership'] === 'join')
      servers.add(serverNameOf(member));
  }
  return [...servers];
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
