import { isObject, type JsonObject } from '../../protocol/json.ts';
import { badJson, RoomError } from '../../rooms/errors.ts';
import type { FederationRoute } from './route.ts';

/** An invite event and up to 1 MiB of state of the room, create event included. */
const maxInviteBytes = 1024 * 1024;

/** Inviting to a room: `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`. */
export const invite: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v2/invite/:roomId/:eventId',
  maxBodyBytes: maxInviteBytes,
  async handle(request, { engine }) {
    const body = await request.json();
    const { room_version: roomVersion, event, invite_room_state: state } = body;
    if (typeof roomVersion !== 'string' || !isObject(event))
      throw badJson('room_version and event are needed');
    const inviteRoomState = state === undefined ? [] : state;
    if (!Array.isArray(inviteRoomState)) throw badJson('invite_room_state has to be a list');
    const signed = await engine.receiveInvite(
      request.origin,
      request.param('roomId'),
      request.param('eventId'),
      { roomVersion, event, inviteRoomState },
    );
    const answer: JsonObject = { event: signed };
    return answer;
  },
};

/**
 * The older form carries no room version: it is for room versions 1 and 2, which are not served here. The
 * caller learns that instead of a 404, which some servers take for "there is no such server".
 */
export const inviteV1: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v1/invite/:roomId/:eventId',
  maxBodyBytes: maxInviteBytes,
  async handle(request, { engine }) {
    await engine.requireAdmitted(request.origin, request.param('roomId'));
    throw new RoomError(
      400,
      'M_INCOMPATIBLE_ROOM_VERSION',
      'This form of invitation is for room versions 1 and 2, which this server does not know',
      { room_version: '1' },
    );
  },
};
