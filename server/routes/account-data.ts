import Type from 'typebox';
import { forbidden, invalidParam, MatrixError, notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { isValidRoomId } from '../../protocol/identifiers.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { isObject } from '../../protocol/json.ts';
import { KeyedQueues } from '../../rooms/queue.ts';
import { pushRulesContent } from '../push-rules.ts';
import type { ClientApiDeps } from './deps.ts';

/** What the server keeps itself: these types are not the client's to write (405, as the specification says). */
const reserved = new Set(['m.fully_read', 'm.push_rules']);

const global = '/_matrix/client/v3/user/:userId/account_data/:type';
const perRoom = '/_matrix/client/v3/user/:userId/rooms/:roomId/account_data/:type';
const tags = '/_matrix/client/v3/user/:userId/rooms/:roomId/tags';

/** Account data, global and per room, and the tags that live in it. */
export function accountDataRoutes({ db }: ClientApiDeps): Route[] {
  const read = async (userId: string, roomId: string, type: string): Promise<JsonObject | undefined> => {
    if (roomId === '' && type === 'm.push_rules') return pushRulesContent(userId);
    const record = await db.accountData.get(userId, roomId, type);
    // Written by ourselves from a checked body.
    return record === undefined ? undefined : (JSON.parse(record.content) as JsonObject);
  };

  const write = async (userId: string, roomId: string, type: string, content: JsonValue): Promise<void> => {
    await db.writer.submit({
      label: 'account data',
      ops: db.accountData.put({ userId, roomId, type, content: JSON.stringify(content) }),
      notes: [{ stream: 'account_data', key: userId }],
    });
  };

  const get = (path: string): Route =>
    route({
      method: 'GET',
      path,
      auth: 'user',
      handler: async ({ user, params }) => {
        requireSelf(user.userId, params['userId']);
        requireRoomId(params['roomId']);
        const content = await read(user.userId, params['roomId'] ?? '', params['type'] ?? '');
        if (content === undefined) throw notFound('No such account data');
        return content;
      },
    });

  const put = (path: string): Route =>
    route({
      method: 'PUT',
      path,
      auth: 'user',
      body: Type.Object({}),
      handler: async ({ user, params, body }) => {
        const { type = '' } = params;
        requireSelf(user.userId, params['userId']);
        requireRoomId(params['roomId']);
        if (reserved.has(type)) {
          throw new MatrixError(405, 'M_BAD_JSON', `${type} is not set through account data`);
        }
        await write(user.userId, params['roomId'] ?? '', type, body);
        return {};
      },
    });

  const readTags = async (userId: string, roomId: string): Promise<JsonObject> => {
    const content = await read(userId, roomId, 'm.tag');
    return isObject(content?.['tags']) ? content['tags'] : {};
  };

  /** One after the other: each change builds on what the one before has stored. */
  const tagChanges = new KeyedQueues();
  const changeTags = (userId: string, roomId: string, change: (all: JsonObject) => JsonObject) =>
    tagChanges.run(`${userId}\n${roomId}`, async () =>
      write(userId, roomId, 'm.tag', { tags: change(await readTags(userId, roomId)) }),
    );

  return [
    get(global),
    put(global),
    get(perRoom),
    put(perRoom),
    route({
      method: 'GET',
      path: tags,
      auth: 'user',
      handler: async ({ user, params }) => {
        requireSelf(user.userId, params['userId']);
        requireRoomId(params['roomId']);
        return { tags: await readTags(user.userId, params['roomId'] ?? '') };
      },
    }),
    route({
      method: 'PUT',
      path: `${tags}/:tag`,
      auth: 'user',
      body: Type.Object({ order: Type.Optional(Type.Number()) }),
      handler: async ({ user, params, body }) => {
        const { roomId = '', tag = '' } = params;
        requireSelf(user.userId, params['userId']);
        requireRoomId(roomId);
        await changeTags(user.userId, roomId, (all) => ({ ...all, [tag]: body }));
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: `${tags}/:tag`,
      auth: 'user',
      handler: async ({ user, params }) => {
        const { roomId = '', tag = '' } = params;
        requireSelf(user.userId, params['userId']);
        requireRoomId(roomId);
        await changeTags(user.userId, roomId, ({ [tag]: _removed, ...rest }) => rest);
        return {};
      },
    }),
  ];
}

function requireRoomId(roomId: string | undefined): void {
  if (roomId !== undefined && !isValidRoomId(roomId)) throw invalidParam(`${roomId} is not a room id`);
}

/** Paths with a user id are for that user alone. */
export function requireSelf(userId: string, named: string | undefined): void {
  if (userId !== named) throw forbidden('That is another user');
}
