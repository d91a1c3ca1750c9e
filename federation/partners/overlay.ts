import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';

interface Suspension {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Who did it. */
  readonly by: string;
  readonly reason?: string | undefined;
  /** Rooms that have other partners too stay open. */
  readonly keepRooms: boolean;
}

/** A signing key that was accepted at run time and is not in the file yet. */
interface AcceptedKey {
  readonly key: string;
  readonly since: number;
  readonly by: string;
}

interface RevokedKey {
  readonly since: number;
  readonly by: string;
}

/**
 * What was done to a partner at run time. It stands above the files and can only make things stricter, but for keys
 * that the partner proved by a statement signed with a pinned one.
 */
export interface PartnerOverlay {
  readonly suspended?: Suspension | undefined;
  readonly acceptedKeys: Readonly<Record<string, AcceptedKey>>;
  /** Keys that a rotation ended, and when (milliseconds). */
  readonly endedKeys: Readonly<Record<string, number>>;
  readonly revokedKeys: Readonly<Record<string, RevokedKey>>;
  /** When the last key statement that was taken over was made (milliseconds): older ones are overtaken. */
  readonly rotatedTs?: number | undefined;
}

export const noOverlay: PartnerOverlay = { acceptedKeys: {}, endedKeys: {}, revokedKeys: {} };

export function isEmptyOverlay(overlay: PartnerOverlay): boolean {
  const { suspended, acceptedKeys, endedKeys, revokedKeys, rotatedTs } = overlay;
  const keys = [acceptedKeys, endedKeys, revokedKeys].flatMap((part) => Object.keys(part));
  return suspended === undefined && rotatedTs === undefined && keys.length === 0;
}

/** The text under which an overlay is kept. */
export function overlayText(overlay: PartnerOverlay): string {
  return JSON.stringify(overlay);
}

/**
 * Reads an overlay that was kept. What cannot be read counts as a suspension: a record that nobody understands must
 * not open what somebody closed.
 */
export function readOverlay(text: string): PartnerOverlay {
  const json = parsed(text);
  if (json === undefined)
    return { ...noOverlay, suspended: { since: 0, by: 'an unreadable record', keepRooms: false } };
  const { suspended, rotatedTs } = json;
  return {
    ...(typeof rotatedTs === 'number' ? { rotatedTs } : {}),
    ...(isObject(suspended) ? { suspended: readSuspension(suspended) } : {}),
    acceptedKeys: mapObject(json['acceptedKeys'], (entry) =>
      isObject(entry) && typeof entry['key'] === 'string'
        ? { key: entry['key'], since: numberOf(entry['since']), by: textOf(entry['by']) }
        : undefined,
    ),
    endedKeys: mapObject(json['endedKeys'], (entry) => (typeof entry === 'number' ? entry : undefined)),
    revokedKeys: mapObject(json['revokedKeys'], (entry) =>
      isObject(entry) ? { since: numberOf(entry['since']), by: textOf(entry['by']) } : undefined,
    ),
  };
}

function parsed(text: string): JsonObject | undefined {
  try {
    const json = parseJson(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function readSuspension(json: JsonObject): Suspension {
  const reason = json['reason'];
  return {
    since: numberOf(json['since']),
    by: textOf(json['by']),
    ...(typeof reason === 'string' ? { reason } : {}),
    keepRooms: json['keepRooms'] === true,
  };
}

function mapObject<T>(
  json: JsonValue | undefined,
  read: (entry: JsonValue) => T | undefined,
): Record<string, T> {
  const entries: [string, T][] = [];
  for (const [key, entry] of Object.entries(isObject(json) ? json : {})) {
    const value = read(entry);
    if (value !== undefined) entries.push([key, value]);
  }
  return Object.fromEntries(entries);
}

function numberOf(json: JsonValue | undefined): number {
  return typeof json === 'number' ? json : 0;
}

function textOf(json: JsonValue | undefined): string {
  return typeof json === 'string' ? json : '';
}
