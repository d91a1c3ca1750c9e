import type { RoomEvent } from '../../protocol/event.ts';
import { parseUserId } from '../../protocol/identifiers.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersions } from '../../protocol/room-versions.ts';
import type { RoomContext } from '../context.ts';
import { TryAgain } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import { signatureOf } from '../receive/02-signatures.ts';
import { byPrev, checkedEvents, inOrder } from '../receive/outliers.ts';
import { checkWire } from '../receive/wire.ts';
import { memberOf, membershipOf } from '../room.ts';
import { type GivenRoom, requireSize, storeRoom } from './store-room.ts';

const eventsPerPage = 100;
const maxPages = 20;

/**
 * An event came of a room that none of ours is in, as far as we know. If our database was put back from a backup, or
 * the answer to a join never reached us, the partner knows better: it shows the room with a join of one of ours that
 * we signed and do not hold. Our signature proves that our user wanted it, and that we do not hold it that nothing
 * came after it here; so the room is taken from the partner as it stands at this event. Gives whether we are in
 * the room then. Throws `TryAgain` if the partner cannot be reached.
 */
export async function recoverRoom(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  pdu: JsonValue,
): Promise<boolean> {
  return ctx.joins.run(roomId, async () => {
    const room = await ctx.rooms.get(roomId);
    if (room?.hasLocalMember() === true) return true;
    const versions = room === undefined ? versionsOf(roomId) : [room.version];
    const recovery = recoverAs(ctx, origin, roomId, pdu, versions);
    ctx.joining.set(roomId, recovery);
    try {
      return await recovery;
    } finally {
      ctx.joining.delete(roomId);
    }
  });
}

/** The versions that a room with this id may have. */
function versionsOf(roomId: string): RoomVersion[] {
  const isHash = !roomId.includes(':');
  return [...roomVersions.values()].filter((version) => version.roomIdIsHash === isHash);
}

async function recoverAs(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  pdu: JsonValue,
  versions: readonly RoomVersion[],
): Promise<boolean> {
  const asked = new Set<string>();
  for (const version of versions) {
    const wire = checkWire(pdu, version, ctx.keys);
    if (!wire.ok || wire.event.roomId !== roomId || asked.has(wire.event.eventId)) continue;
    asked.add(wire.event.eventId);
    try {
      if (await recoverAt(ctx, origin, wire.event, version)) return true;
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      if (error.kind === 'unreachable')
        throw new TryAgain('A room may have been lost, and the partner cannot be asked', error);
      ctx.log.debug({ err: error, roomId, origin }, 'a partner does not say that we were in this room');
    }
  }
  return false;
}

async function recoverAt(
  ctx: RoomContext,
  origin: string,
  event: RoomEvent,
  version: RoomVersion,
): Promise<boolean> {
  const here = await roomAt(ctx, origin, event, version);
  const joins = await lostJoins(ctx, version, [...here.state.values(), event]);
  const [first] = joins;
  if (first === undefined) return false;
  const users = joins.map(({ pdu }) => pdu.sender);
  await storeRoom(ctx, await beginning(ctx, origin, here, first), [origin], users);
  ctx.log.error(
    { alarm: 'room-recovered', roomId: event.roomId, partner: origin, users },
    'a room that this database does not know, and that people here joined, is taken from a partner: a backup was restored here, or the join broke off',
  );
  return true;
}

async function roomAt(
  ctx: RoomContext,
  origin: string,
  event: RoomEvent,
  version: RoomVersion,
): Promise<GivenRoom> {
  const { roomId, eventId } = event;
  const answer = await ctx.remote.state(origin, roomId, eventId);
  requireSize(answer.pdus.length + answer.authChain.length);
  return {
    event,
    version,
    state: await checkedEvents(ctx, roomId, version, answer.pdus),
    authChain: await checkedEvents(ctx, roomId, version, answer.authChain),
  };
}

/**
 * The room at the first event that the partner has of it since our join: so that what follows comes in its order, as
 * missing events do. The join itself, if it was in the room then; else the first that it can go back to.
 */
async function beginning(
  ctx: RoomContext,
  origin: string,
  here: GivenRoom,
  join: RoomEvent,
): Promise<GivenRoom> {
  const { event, version } = here;
  if (join.eventId === event.eventId) return here;
  try {
    return await roomAt(ctx, origin, join, version);
  } catch (error) {
    if (!(error instanceof RemoteError) || error.kind !== 'refused') throw error;
  }
  const first = await firstBefore(ctx, origin, event, version);
  if (first.eventId === event.eventId) return here;
  const there = await roomAt(ctx, origin, first, version);
  return there.state.has(join.eventId) ? there : here;
}

/** The earliest event before this one that the partner gives, or itself. */
async function firstBefore(
  ctx: RoomContext,
  origin: string,
  event: RoomEvent,
  version: RoomVersion,
): Promise<RoomEvent> {
  const { roomId } = event;
  let first = event;
  for (let page = 0; page < maxPages; page += 1) {
    const pdus = await ctx.remote.backfill(origin, roomId, [first.eventId], eventsPerPage);
    const events = await checkedEvents(ctx, roomId, version, pdus.slice(0, eventsPerPage));
    const [earliest] = inOrder(events, byPrev);
    if (earliest === undefined || earliest.eventId === first.eventId) break;
    first = earliest;
  }
  return first;
}

/** Joins of our people among these events that carry our signature and that we do not hold, the earliest first. */
async function lostJoins(
  ctx: RoomContext,
  version: RoomVersion,
  events: readonly RoomEvent[],
): Promise<RoomEvent[]> {
  const members = new Map<string, RoomEvent>();
  for (const event of events) {
    const userId = memberOf(event);
    if (userId !== undefined) members.set(userId, event);
  }
  const held = await ctx.lookup.many([...members.values()].map(({ eventId }) => eventId));
  const lost: RoomEvent[] = [];
  for (const [userId, event] of members) {
    const user = parseUserId(userId);
    if (user?.serverName !== ctx.serverName || membershipOf(event) !== 'join') continue;
    if (event.pdu.sender !== userId || held.get(event.eventId)?.outlier === false) continue;
    if (signatureOf(event.pdu, ctx.serverName, version, ctx.keys) !== 'valid') continue;
    if (await ctx.store.isActiveUser(user.localpart)) lost.push(event);
  }
  return lost.sort((a, b) => a.pdu.depth - b.pdu.depth);
}
