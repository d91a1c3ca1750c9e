import Type from 'typebox';
import { invalidParam, MatrixError } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { AnyObject } from '../../http/schemas.ts';
import { parseRoomAlias, parseUserId } from '../../protocol/identifiers.ts';
import { isRoomVersionId } from '../../protocol/room-versions.ts';
import type { ClientApiDeps } from './deps.ts';
import { noThirdPartyInvites } from './membership.ts';

const Body = Type.Object({
  creation_content: Type.Optional(AnyObject),
  initial_state: Type.Optional(
    Type.Array(
      Type.Object({ type: Type.String(), state_key: Type.Optional(Type.String()), content: AnyObject }),
    ),
  ),
  invite: Type.Optional(Type.Array(Type.String())),
  invite_3pid: Type.Optional(Type.Array(AnyObject)),
  is_direct: Type.Optional(Type.Boolean()),
  name: Type.Optional(Type.String()),
  power_level_content_override: Type.Optional(AnyObject),
  preset: Type.Optional(
    Type.Union([
      Type.Literal('private_chat'),
      Type.Literal('trusted_private_chat'),
      Type.Literal('public_chat'),
    ]),
  ),
  room_alias_name: Type.Optional(Type.String()),
  room_version: Type.Optional(Type.String()),
  topic: Type.Optional(Type.String()),
  visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
});

export function createRoomRoutes({ config, engine }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/_matrix/client/v3/createRoom',
      auth: 'user',
      body: Body,
      numbers: 'canonical',
      handler: async ({ user, body }) => {
        const { room_version: version, room_alias_name: aliasName, invite } = body;
        if (version !== undefined && !isRoomVersionId(version)) {
          throw new MatrixError(
            400,
            'M_UNSUPPORTED_ROOM_VERSION',
            `Room version ${version} is not supported`,
          );
        }
        if (aliasName !== undefined && !isAliasName(aliasName, config.serverName)) {
          throw invalidParam('room_alias_name is not a valid local part of an alias');
        }
        if (body.invite_3pid !== undefined && body.invite_3pid.length > 0) throw noThirdPartyInvites();
        const stranger = invite?.find((userId) => parseUserId(userId) === undefined);
        if (stranger !== undefined) throw invalidParam(`${stranger} is not a user id`);
        const { roomId } = await engine.createRoom(user.userId, {
          visibility: body.visibility,
          roomAliasName: aliasName,
          name: body.name,
          topic: body.topic,
          invite,
          roomVersion: version,
          creationContent: body.creation_content,
          initialState: body.initial_state?.map(({ type, state_key, content }) => ({
            type,
            stateKey: state_key,
            content,
          })),
          preset: body.preset,
          isDirect: body.is_direct,
          powerLevelContentOverride: body.power_level_content_override,
        });
        return { room_id: roomId };
      },
    }),
  ];
}

function isAliasName(name: string, serverName: string): boolean {
  return name !== '' && !/[:\s]/.test(name) && parseRoomAlias(`#${name}:${serverName}`) !== undefined;
}
