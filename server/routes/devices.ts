import Type from 'typebox';
import { notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { AnyObject, DeviceName } from '../../http/schemas.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { DeviceRecord } from '../../storage/stores/device-store.ts';
import { requirePassword } from '../auth/interactive.ts';
import type { ClientApiDeps } from './deps.ts';

const Auth = Type.Optional(AnyObject);

/** A user's devices. Removing one asks for the password again. */
export function deviceRoutes({ accounts, db, random }: ClientApiDeps): Route[] {
  const path = '/_matrix/client/v3/devices/:deviceId';
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v3/devices',
      auth: 'user',
      handler: async ({ user }) => ({ devices: (await db.devices.ofUser(user.userId)).map(toClient) }),
    }),
    route({
      method: 'GET',
      path,
      auth: 'user',
      handler: async ({ user, params }) => {
        const device = await db.devices.get(user.userId, params['deviceId'] ?? '');
        if (device === undefined) throw notFound('There is no such device');
        return toClient(device);
      },
    }),
    route({
      method: 'PUT',
      path,
      auth: 'user',
      body: Type.Object({ display_name: Type.Optional(DeviceName) }),
      handler: async ({ user, params, body }) => {
        const deviceId = params['deviceId'] ?? '';
        if ((await db.devices.get(user.userId, deviceId)) === undefined)
          throw notFound('There is no such device');
        if (body.display_name !== undefined) {
          await db.writer.submit({
            label: 'rename device',
            ops: db.devices.rename(user.userId, deviceId, body.display_name),
          });
        }
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path,
      auth: 'user',
      body: Type.Object({ auth: Auth }),
      handler: async ({ user, params, body }) => {
        const challenge = await requirePassword(accounts, random, user.userId, body.auth);
        if (challenge !== undefined) return challenge;
        await accounts.removeDevices(user.userId, [params['deviceId'] ?? '']);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/delete_devices',
      auth: 'user',
      body: Type.Object({ devices: Type.Array(Type.String()), auth: Auth }),
      handler: async ({ user, body }) => {
        const challenge = await requirePassword(accounts, random, user.userId, body.auth);
        if (challenge !== undefined) return challenge;
        await accounts.removeDevices(user.userId, body.devices);
        return {};
      },
    }),
  ];
}

function toClient(device: DeviceRecord): JsonObject {
  return {
    device_id: device.deviceId,
    ...(device.displayName === null ? {} : { display_name: device.displayName }),
    ...(device.lastSeenIp === null ? {} : { last_seen_ip: device.lastSeenIp }),
    last_seen_ts: device.lastSeenTs,
  };
}
