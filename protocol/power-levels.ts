import type { RoomEvent } from './event.ts';
import { isObject, type JsonObject, type JsonValue } from './json.ts';
import type { RoomVersion } from './room-versions.ts';

/** Power that no number reaches: of the creators of a room in version 12. */
export const creatorPower = Number.POSITIVE_INFINITY;

/**
 * The power levels of a room ("m.room.power_levels"), defaults included: the same whether the room has such an
 * event or not. Values that are not integers count as absent: the auth rules keep them out of the rooms that we
 * speak.
 */
export class PowerLevels {
  readonly #content: JsonObject | undefined;
  readonly #privileged: ReadonlySet<string>;
  /** Without a power levels event, in versions 10 and 11: the one with level 100. */
  readonly #soleCreator: string | undefined;

  constructor(create: RoomEvent | undefined, powerLevels: RoomEvent | undefined, version: RoomVersion) {
    this.#content = powerLevels?.pdu.content;
    const privileged = version.creatorsArePrivileged && create !== undefined;
    this.#privileged = new Set(privileged ? creatorsOf(create, version) : []);
    this.#soleCreator =
      powerLevels === undefined && create !== undefined ? creatorsOf(create, version)[0] : undefined;
  }

  userLevel(userId: string): number {
    if (this.#privileged.has(userId)) return creatorPower;
    if (this.#content === undefined) return userId === this.#soleCreator ? 100 : 0;
    return integerAt(this.#content['users'], userId) ?? this.#level('users_default', 0);
  }

  /** The level that sending such an event takes. */
  eventLevel(type: string, isState: boolean): number {
    const own = integerAt(this.#content?.['events'], type);
    if (own !== undefined) return own;
    return isState ? this.#level('state_default', 50) : this.#level('events_default', 0);
  }

  /** The level that notifying all of the room takes (`notifications`), 50 unless set. */
  notificationLevel(key: string): number {
    return integerAt(this.#content?.['notifications'], key) ?? 50;
  }

  get ban(): number {
    return this.#level('ban', 50);
  }

  get kick(): number {
    return this.#level('kick', 50);
  }

  get redact(): number {
    return this.#level('redact', 50);
  }

  get invite(): number {
    return this.#level('invite', 0);
  }

  #level(key: string, fallback: number): number {
    return integerAt(this.#content, key) ?? fallback;
  }
}

/**
 * The creators of a room: in version 10 `content.creator`, in 11 the sender of the create event, in 12 its sender
 * and its `additional_creators`.
 */
export function creatorsOf(create: RoomEvent, version: RoomVersion): string[] {
  const { sender, content } = create.pdu;
  if (version.creatorInContent) return typeof content['creator'] === 'string' ? [content['creator']] : [];
  if (!version.creatorsArePrivileged) return [sender];
  const additional = content['additional_creators'];
  return [sender, ...(Array.isArray(additional) ? additional.filter((id) => typeof id === 'string') : [])];
}

function integerAt(object: JsonValue | undefined, key: string): number | undefined {
  if (!isObject(object) || !Object.hasOwn(object, key)) return undefined;
  const value = object[key];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
