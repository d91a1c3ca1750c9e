import Type from 'typebox';
import { type Route, route } from '../../http/route.ts';
import { checkCanonicalAlias } from '../canonical-alias.ts';
import type { ClientApiDeps } from './deps.ts';

/** Sending events: messages, state, redactions. The body is the content, in canonical numbers. */
export function sendRoutes(deps: ClientApiDeps): Route[] {
  const { engine } = deps;
  const state = (path: string): Route =>
    route({
      method: 'PUT',
      path,
      auth: 'user',
      body: Type.Object({}),
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        const { roomId = '', eventType = '' } = params;
        if (eventType === 'm.room.canonical_alias')
          await checkCanonicalAlias(deps, user.userId, roomId, body);
        const { eventId } = await engine.send({
          userId: user.userId,
          roomId,
          type: eventType,
          stateKey: params['stateKey'] ?? '',
          content: body,
        });
        return { event_id: eventId };
      },
    });

  return [
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/rooms/:roomId/send/:eventType/:txnId',
      auth: 'user',
      body: Type.Object({}),
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        const { roomId = '', eventType = '', txnId = '' } = params;
        const { eventId } = await engine.send({
          userId: user.userId,
          roomId,
          type: eventType,
          content: body,
          txn: { deviceId: user.deviceId, txnKey: ['send', roomId, eventType, txnId].join('\n') },
        });
        return { event_id: eventId };
      },
    }),
    state('/_matrix/client/v3/rooms/:roomId/state/:eventType'),
    // The specification has this one with a trailing slash too: the empty state key.
    state('/_matrix/client/v3/rooms/:roomId/state/:eventType/'),
    state('/_matrix/client/v3/rooms/:roomId/state/:eventType/:stateKey'),
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/rooms/:roomId/redact/:eventId/:txnId',
      auth: 'user',
      body: Type.Object({ reason: Type.Optional(Type.String()) }),
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        const { roomId = '', eventId = '', txnId = '' } = params;
        const redaction = await engine.redact({
          userId: user.userId,
          roomId,
          eventId,
          reason: body.reason,
          txn: { deviceId: user.deviceId, txnKey: ['redact', roomId, eventId, txnId].join('\n') },
        });
        return { event_id: redaction.eventId };
      },
    }),
  ];
}
