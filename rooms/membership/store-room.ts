import { type RoomEvent, type StateKey, stateKeyOf } from '../../protocol/event.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import { emptyRoom } from '../create-room.ts';
import { RemoteError } from '../ports.ts';
import { type AdmitOptions, admit, judge } from '../receive/admit.ts';
import { addOutliers } from '../receive/outliers.ts';
import type { Room } from '../room.ts';

const maxStateEvents = 100_000;

/** A room as a server that is in it gave it to us, after steps 1 to 3. */
export interface GivenRoom {
  /** The event with which the room begins for us, a join of one of ours for instance. */
  readonly event: RoomEvent;
  readonly version: RoomVersion;
  /** The state before the event. */
  readonly state: ReadonlyMap<string, RoomEvent>;
  readonly authChain: ReadonlyMap<string, RoomEvent>;
}

export function requireSize(stateEvents: number): void {
  if (stateEvents > maxStateEvents) throw bad('is too large');
}

/**
 * Judges and stores what we were given, in one commit: the state and its auth chain, and the event on top. `joinedVia`
 * are servers that know the room; invitations of these users are settled by it. Throws `RemoteError` for a room that
 * cannot be one.
 */
export async function storeRoom(
  ctx: RoomContext,
  given: GivenRoom,
  joinedVia: readonly string[],
  users: readonly string[],
): Promise<void> {
  const { roomId } = given.event;
  const also = users.flatMap((userId) => ctx.store.dropInviteOps(roomId, userId));
  const stored = await ctx.rooms.exclusive(roomId, async (held) => {
    const room = held ?? emptyRoom(ctx, roomId, given.version);
    const change = new RoomChange(ctx, room);
    const state = await usableState(ctx, room, change, given);
    const before = ctx.sets.create(room, state, held?.current);
    // In a room that goes on here the event is one more of those that come; what was said here meanwhile stays.
    if (held?.hasLocalMember() === true) {
      if (change.ops.length > 0) change.commit('outliers').catch(() => undefined);
      return addToLiveRoom(ctx, room, given.event, { given: before, also });
    }
    await change.rebase(before);
    const verdict = await judge(ctx, room, given.event, before);
    if (verdict.kind !== 'accepted') throw bad(`does not allow ${given.event.pdu.type}: ${verdict.reason}`);
    const existing = await ctx.lookup.one(given.event.eventId, room);
    const prev = await ctx.lookup.many(given.event.pdu.prev_events, room);
    const unheld = given.event.pdu.prev_events.filter(
      (id) => (prev.get(id)?.stateGroupAfter ?? null) === null,
    );
    change.onlyTip(await change.add(given.event, { before, existing, unheld }));
    const written = change.commit('room from a partner', also, { isNew: held === undefined, joinedVia });
    written.catch(() => undefined);
    if (held === undefined) ctx.rooms.add(room);
    return { written };
  });
  await stored.written;
}

/** Admits the event at its place. The commit is awaited outside of the room's queue. */
async function addToLiveRoom(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  options: AdmitOptions,
): Promise<{ written: Promise<void> }> {
  const admission = await admit(ctx, room, event, options);
  if (admission.kind !== 'decided') throw bad('is being changed at this moment');
  const { outcome, written } = admission;
  written.catch(() => undefined);
  if (outcome.kind !== 'accepted' && outcome.kind !== 'duplicate')
    throw bad(`does not allow ${event.pdu.type}: ${outcome.reason ?? outcome.kind}`);
  return { written };
}

/** What is usable of the state that we were given, with its create event. */
async function usableState(
  ctx: RoomContext,
  room: Room,
  change: RoomChange,
  { state: given, authChain, version }: GivenRoom,
): Promise<Map<StateKey, string>> {
  const usable = await addOutliers(ctx, room, change, new Map([...authChain, ...given]));
  const state = new Map<StateKey, string>();
  for (const id of given.keys()) {
    const event = usable.get(id);
    if (event?.pdu.state_key !== undefined) state.set(stateKeyOf(event.pdu.type, event.pdu.state_key), id);
  }
  checkCreate(usable.get(state.get(stateKeyOf('m.room.create', '')) ?? ''), version);
  return state;
}

function checkCreate(create: RoomEvent | undefined, version: RoomVersion): void {
  if (create === undefined) throw bad('has no create event');
  const claimed = create.pdu.content['room_version'] ?? '1';
  if (claimed !== version.id) throw bad(`is of room version ${String(claimed)}`);
}

function bad(what: string): RemoteError {
  return new RemoteError('bad-response', `The room that we were given ${what}`);
}
