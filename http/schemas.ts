import Type from 'typebox';
import type { JsonObject } from '../protocol/json.ts';

/** Any JSON object: for parts of a body whose shape somebody else checks. */
export const AnyObject = Type.Unsafe<JsonObject>(Type.Object({}));

/** What a user calls a device. */
export const DeviceName = Type.String({ maxLength: 255 });
