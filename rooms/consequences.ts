import type { StateKey } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Note, Position, Row, WriteOp } from '../storage/write-set.ts';
import type { RoomContext } from './context.ts';
import { shownPdu } from './quarantine.ts';
import { memberOf, membershipOf, type Room } from './room.ts';
import type { StoredEvent } from './types.ts';

/** What is written and said because of something else in the same change. */
export interface Consequences {
  readonly ops: readonly WriteOp[];
  readonly notes: readonly Note[];
}

/**
 * Servers that have to hear of an event as the room is before it: those in the room, and that of somebody invited
 * who is not wanted any more. An invitation that is repeated has its own way, as the first one had.
 */
export function audienceOf(room: Room, event: StoredEvent): ReadonlySet<string> {
  const servers = room.joinedServers();
  const target = memberOf(event);
  if (target === undefined || target === event.pdu.sender || membershipOf(event) === 'invite') return servers;
  const before = room.membership(target);
  return before === 'invite' || before === 'knock' ? new Set([...servers, serverNameOf(target)]) : servers;
}

/** Outbox rows for the partners that had to hear of the event before it, or are in the room after it. */
export function relayTo(
  ctx: RoomContext,
  room: Room,
  event: StoredEvent,
  position: Position,
  audience: ReadonlySet<string>,
  except: string | undefined,
): Consequences {
  const servers = new Set([...audience, ...room.joinedServers()]);
  servers.delete(ctx.serverName);
  const rows: Row[] = [];
  const notes: Note[] = [];
  for (const server of servers) {
    if (server === except || !ctx.border.keepsFor(server)) continue;
    const item = { destination: server, lane: 'pdu', position, event_id: event.eventId };
    rows.push({ ...item, edu: null, dedup_key: null });
    notes.push({ stream: 'outbox', key: server, position });
  }
  return { ops: rows.length === 0 ? [] : [{ kind: 'insert', table: 'outbox', rows }], notes };
}

/** Sets one entry of the current state; a member's row follows. `isNews`: the event happened just now. */
export function putState(
  ctx: RoomContext,
  room: Room,
  key: StateKey,
  event: StoredEvent,
  position: Position,
  isNews: boolean,
): Consequences {
  const userId = memberOf(event);
  const before = userId === undefined ? undefined : room.get('m.room.member', userId);
  room.putState(key, event);
  if (userId === undefined) return { ops: [], notes: [] };
  const membership = membershipOf(event);
  const isLocal = serverNameOf(userId) === ctx.serverName;
  const name = shownPdu(event).content['displayname'];
  const member = {
    roomNid: room.roomNid,
    userId,
    membership,
    eventId: event.eventId,
    sender: event.pdu.sender,
    isLocal,
    displayName: typeof name === 'string' ? name : null,
  };
  // Who has joined stays joined from then on, whatever they change in their profile.
  const ops =
    membership === 'join' && membershipOf(before) === 'join'
      ? ctx.db.memberships.describe(member)
      : ctx.db.memberships.put([{ ...member, streamPos: position }]);
  if (!isLocal || (!isNews && membershipOf(before) === membership)) return { ops, notes: [] };
  const payload = { roomId: room.roomId, membership };
  return { ops, notes: [{ stream: 'memberships', key: userId, position, payload }] };
}

/** Takes one entry out of the current state: a resolution may end without it. */
export function removeState(ctx: RoomContext, room: Room, key: StateKey, position: Position): Consequences {
  const old = room.state.get(key);
  room.putState(key, undefined);
  const userId = old === undefined ? undefined : memberOf(old);
  if (old === undefined || userId === undefined) return { ops: [], notes: [] };
  if (serverNameOf(userId) !== ctx.serverName)
    return { ops: ctx.db.memberships.remove(room.roomNid, userId), notes: [] };
  // Our own have to be told that they are out: what is not there cannot be shown to their devices.
  const ops = ctx.db.memberships.put([
    {
      roomNid: room.roomNid,
      userId,
      membership: 'leave',
      eventId: old.eventId,
      sender: old.pdu.sender,
      streamPos: position,
      isLocal: true,
      displayName: null,
    },
  ]);
  const payload = { roomId: room.roomId, membership: 'leave' };
  return { ops, notes: [{ stream: 'memberships', key: userId, position, payload }] };
}
