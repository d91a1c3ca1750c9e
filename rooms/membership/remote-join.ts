import { type RoomEvent, type StateKey, stateKeyOf } from '../../protocol/event.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersions } from '../../protocol/room-versions.ts';
import { signEvent } from '../../protocol/signing.ts';
import { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import { emptyRoom } from '../create-room.ts';
import { badGateway, RoomError } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import { judge } from '../receive/admit.ts';
import { addOutliers, checkedEvents } from '../receive/outliers.ts';
import { checkWire } from '../receive/wire.ts';
import type { JoinOptions } from '../types.ts';
import { joinContent } from './join-content.ts';
import { remoteRefusal } from './remote-refusal.ts';
import { eventFromTemplate } from './template.ts';

const maxStateEvents = 100_000;

/** What a resident server gave us for our join, after steps 1 to 3. */
interface JoinAnswer {
  readonly event: RoomEvent;
  readonly version: RoomVersion;
  readonly state: ReadonlyMap<string, RoomEvent>;
  readonly authChain: ReadonlyMap<string, RoomEvent>;
}

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
      await storeJoin(ctx, userId, roomId, answer, servers);
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
): Promise<JoinAnswer> {
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
  if (answer.state.length + answer.authChain.length > maxStateEvents) throw bad('is too large');
  const own: RoomEvent = { eventId, roomId, pdu, rejected: false };
  return {
    event: countersigned(ctx, own, version, answer.event),
    version,
    state: checkedEvents(ctx, roomId, version, answer.state),
    authChain: checkedEvents(ctx, roomId, version, answer.authChain),
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

/** Judges and stores what we were given, in one commit: the state and its auth chain, and our join on top. */
async function storeJoin(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  answer: JoinAnswer,
  servers: readonly string[],
): Promise<void> {
  const written = await ctx.rooms.exclusive(roomId, async (held) => {
    const room = held ?? emptyRoom(ctx, roomId, answer.version);
    const change = new RoomChange(ctx, room);
    const usable = await addOutliers(ctx, room, change, new Map([...answer.authChain, ...answer.state]));
    const state = new Map<StateKey, string>();
    for (const id of answer.state.keys()) {
      const event = usable.get(id);
      if (event?.pdu.state_key !== undefined) state.set(stateKeyOf(event.pdu.type, event.pdu.state_key), id);
    }
    checkCreate(usable.get(state.get(stateKeyOf('m.room.create', '')) ?? ''), answer.version);
    const before = ctx.sets.create(room, state);
    await change.rebase(before);
    const verdict = await judge(ctx, room, answer.event, before);
    if (verdict.kind !== 'accepted') throw bad(`does not allow our join: ${verdict.reason}`);
    const existing = await ctx.lookup.one(answer.event.eventId, room);
    const prev = await ctx.lookup.many(answer.event.pdu.prev_events, room);
    const unheld = answer.event.pdu.prev_events.filter(
      (id) => (prev.get(id)?.stateGroupAfter ?? null) === null,
    );
    const joined = await change.add(answer.event, { before, existing, unheld });
    change.onlyTip(joined);
    const also = ctx.store.dropInviteOps(roomId, userId);
    const done = change.commit('remote join', also, { isNew: held === undefined, joinedVia: servers });
    done.catch(() => undefined);
    if (held === undefined) ctx.rooms.add(room);
    return { done };
  });
  await written.done;
}

function checkCreate(create: RoomEvent | undefined, version: RoomVersion): void {
  if (create === undefined) throw bad('has no create event');
  const claimed = create.pdu.content['room_version'] ?? '1';
  if (claimed !== version.id) throw bad(`is of room version ${String(claimed)}`);
}

function bad(what: string): RemoteError {
  return new RemoteError('bad-response', `The room that we were given ${what}`);
}
