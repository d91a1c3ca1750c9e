import { roomClassType } from '../policy/room-class.ts';
import { authorize } from '../protocol/auth/authorize.ts';
import { encodeBase64Url } from '../protocol/base64.ts';
import type { RoomEvent, UnsignedPdu } from '../protocol/event.ts';
import { roomIdOf } from '../protocol/hashing.ts';
import { parseUserId, serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../protocol/room-versions.ts';
import { signEvent } from '../protocol/signing.ts';
import type { WriteOp } from '../storage/write-set.ts';
import { buildEvent, nextPlace } from './build.ts';
import { RoomChange } from './change.ts';
import type { RoomContext } from './context.ts';
import {
  createContent,
  type InitialEvent,
  initialEvents,
  type PowerLimit,
  withDefaults,
} from './create-events.ts';
import { forbidden, invalidParam, RoomError, requireAllowed } from './errors.ts';
import { InvitationHeld } from './membership/held.ts';
import { inviteUser } from './membership/invite.ts';
import { Room } from './room.ts';
import { requireClass } from './send.ts';
import { StateSet } from './state/state-set.ts';
import type { CreateRoomRequest } from './types.ts';

const roomIdBytes = 18;

/**
 * Creates a room with all its first events in one commit; then invites people of partners, each by the
 * handshake with their server. Throws 400 (`M_UNSUPPORTED_ROOM_VERSION`, `M_ROOM_IN_USE`,
 * `M_INVALID_ROOM_STATE`), 403 where the border forbids an invitation, and what an invitation throws (the
 * room exists then). An invitation that somebody has to approve is held, and the room is made without it.
 */
export async function createRoom(
  ctx: RoomContext,
  userId: string,
  request: CreateRoomRequest,
): Promise<{ roomId: string }> {
  const version = roomVersion(request.roomVersion ?? ctx.defaultRoomVersion());
  if (version === undefined)
    throw new RoomError(400, 'M_UNSUPPORTED_ROOM_VERSION', 'This room version is not supported');
  const invitees = [...new Set(request.invite ?? [])];
  for (const invitee of invitees) {
    if (parseUserId(invitee) === undefined) throw invalidParam(`${invitee} is not a user id`);
    if (invitee === userId) throw forbidden('You cannot invite yourself');
  }
  const alias =
    request.roomAliasName === undefined ? undefined : `#${request.roomAliasName}:${ctx.serverName}`;
  if (alias !== undefined && (await ctx.store.alias(alias)) !== undefined)
    throw new RoomError(400, 'M_ROOM_IN_USE', 'This alias is taken');
  const { content, initial } = await planRoom(ctx, userId, request, version, alias, invitees);
  let create: RoomEvent;
  // From room version 12 the room's id is the create event's hash: equal requests within one millisecond
  // would be one room.
  for (let timestamp = ctx.clock.now(); ; timestamp += 1) {
    create = makeCreateEvent(ctx, userId, content, version, timestamp);
    const event = create;
    const made = await ctx.rooms.exclusive(event.roomId, async (known) => {
      if (known !== undefined) return false;
      await build(ctx, userId, request, event, version, initial, alias, invitees);
      return true;
    });
    if (made) break;
  }
  for (const invitee of invitees) {
    if (serverNameOf(invitee) === ctx.serverName) continue;
    try {
      await inviteUser(ctx, userId, create.roomId, invitee, { isDirect: request.isDirect });
    } catch (error) {
      // The room is there, and the invitation follows when somebody has approved it.
      if (!(error instanceof InvitationHeld)) throw error;
    }
  }
  return { roomId: create.roomId };
}

/**
 * What the room is to be, by the request and by what the border makes of it. Throws 400 for a class that is none, 403
 * where the border, or an island that has to be asked, says no.
 */
async function planRoom(
  ctx: RoomContext,
  userId: string,
  request: CreateRoomRequest,
  version: RoomVersion,
  alias: string | undefined,
  invitees: readonly string[],
): Promise<{ content: JsonObject; initial: (profile: JsonObject) => InitialEvent[] }> {
  const powerLimit: PowerLimit = (id) => ctx.border.powerLimit(id);
  const content = createContent(userId, request, version, powerLimit);
  const creators = content['additional_creators'];
  const people = {
    creator: userId,
    invitees,
    additionalCreators: Array.isArray(creators) ? creators.filter((id) => typeof id === 'string') : [],
  };
  const asked = initialEvents(userId, request, version, {}, alias, powerLimit);
  for (const event of asked) if (event.type === roomClassType) requireClass(event.content, event.stateKey);
  const defaults = ctx.border.defaultsOf({ ...people, state: asked });
  const initial = (profile: JsonObject): InitialEvent[] =>
    withDefaults(initialEvents(userId, request, version, profile, alias, powerLimit), defaults);
  const plan = { ...people, state: initial({}) };
  requireAllowed(ctx.border.mayCreate(plan));
  const servers = [...invitees, ...people.additionalCreators].map(serverNameOf);
  requireAllowed(
    await ctx.border.mayAdmit(
      plan,
      [...new Set(servers)].filter((server) => server !== ctx.serverName),
    ),
  );
  return { content, initial };
}

function makeCreateEvent(
  ctx: RoomContext,
  userId: string,
  content: JsonObject,
  version: RoomVersion,
  timestamp: number,
): RoomEvent {
  const draft: UnsignedPdu = {
    type: 'm.room.create',
    state_key: '',
    sender: userId,
    content,
    prev_events: [],
    auth_events: [],
    depth: 1,
    origin_server_ts: timestamp,
  };
  if (!version.roomIdIsHash)
    draft.room_id = `!${encodeBase64Url(ctx.random.bytes(roomIdBytes))}:${ctx.serverName}`;
  const { pdu, eventId } = signEvent(draft, version, ctx.serverName, ctx.signingKey);
  const roomId = version.roomIdIsHash ? roomIdOf(pdu, version) : (pdu.room_id ?? '');
  return { eventId, roomId, pdu, rejected: false };
}

async function build(
  ctx: RoomContext,
  userId: string,
  request: CreateRoomRequest,
  create: RoomEvent,
  version: RoomVersion,
  initial: (profile: JsonObject) => InitialEvent[],
  alias: string | undefined,
  invitees: readonly string[],
): Promise<void> {
  const room = emptyRoom(ctx, create.roomId, version);
  const change = new RoomChange(ctx, room);
  const empty = ctx.sets.create(room, new Map());
  const verdict = authorize(create, { get: () => undefined }, version, { isSignedBy: () => true });
  if (!verdict.allowed) throw new RoomError(400, 'M_INVALID_ROOM_STATE', verdict.reason);
  await change.add(create, { before: empty });
  const profile = await ctx.store.profile(userId);
  for (const event of initial(profile)) await step(ctx, room, change, userId, event);
  for (const invitee of invitees) {
    if (serverNameOf(invitee) !== ctx.serverName) continue;
    const content: JsonObject = { ...(await ctx.store.profile(invitee)), membership: 'invite' };
    if (request.isDirect === true) content['is_direct'] = true;
    await step(ctx, room, change, userId, { type: 'm.room.member', stateKey: invitee, content });
  }
  const also: WriteOp[] = [];
  if (alias !== undefined) also.push(...ctx.store.aliasOps(alias, room.roomId, userId, ctx.serverName));
  const written = change.commit('create room', also, { isNew: true });
  ctx.rooms.add(room);
  try {
    await written;
  } catch (error) {
    if (alias !== undefined && (await ctx.store.alias(alias)) !== undefined)
      throw new RoomError(400, 'M_ROOM_IN_USE', 'This alias is taken', {}, error);
    throw error;
  }
}

async function step(
  ctx: RoomContext,
  room: Room,
  change: RoomChange,
  sender: string,
  event: { type: string; stateKey: string; content: JsonObject },
): Promise<void> {
  const place = await nextPlace(ctx, room);
  try {
    const built = await buildEvent(ctx, room, place, { sender, ...event });
    await change.add(built, { before: place.before, json: built.json });
  } catch (error) {
    if (error instanceof RoomError && error.status === 403)
      throw new RoomError(400, 'M_INVALID_ROOM_STATE', `${event.type}: ${error.message}`, {}, error);
    throw error;
  }
}

/** A room of which nothing is known yet. */
export function emptyRoom(ctx: RoomContext, roomId: string, version: RoomVersion): Room {
  return new Room({
    roomNid: ctx.store.nextRoom(),
    roomId,
    version,
    revision: 1,
    current: StateSet.full(-1, new Map()),
    tips: [],
    missing: [],
    waiting: [],
    heldRedactions: [],
    state: [],
    serverName: ctx.serverName,
  });
}
