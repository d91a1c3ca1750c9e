import type { FileFacts, RoomFacts, StateFacts } from '../../policy/question.ts';
import { classOf, roomClassType } from '../../policy/room-class.ts';
import type { Pdu } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonObject } from '../../protocol/json.ts';
import { classOfRoom } from '../../rooms/room-class.ts';
import type { RoomView } from '../../rooms/types.ts';

/** What of a room the border looks at. */
export interface BorderRoom extends Pick<RoomView, 'roomId' | 'residents' | 'content' | 'joinedServers'> {
  get(type: string, stateKey: string): { readonly pdu: Pick<Pdu, 'sender' | 'content'> } | undefined;
}

/** Servers of others with somebody who is joined or invited. */
export function otherServers(view: BorderRoom, serverName: string): string[] {
  return [...view.residents().keys()].filter((server) => server !== serverName);
}

/** People of a server who are joined or invited. */
export function peopleOf(view: BorderRoom, server: string): readonly string[] {
  return view.residents().get(server) ?? [];
}

export function roomFacts(
  view: BorderRoom,
  servers: Iterable<string>,
  frozenFor: readonly string[] | undefined,
): RoomFacts {
  const create = view.get('m.room.create', '');
  return {
    roomId: view.roomId,
    ...classOfRoom(view),
    creatorServer: create === undefined ? '' : serverNameOf(create.pdu.sender),
    isEncrypted: view.get('m.room.encryption', '') !== undefined,
    servers: [...servers],
    ...(frozenFor === undefined ? {} : { frozenFor }),
  };
}

/** Events that encrypted rooms carry in the clear: without content of their own, or encrypted in themselves. */
const clearTypes: ReadonlySet<string> = new Set(['m.room.encrypted', 'm.reaction', 'm.room.redaction']);

/** Whether the event is one that encryption is for, and is not encrypted. */
export function isCleartext(type: string): boolean {
  return !clearTypes.has(type) && !type.startsWith('m.key.verification.') && !type.startsWith('m.call.');
}

/** The file that a message carries, as it says itself; undefined if it carries none. */
export function fileOf(content: JsonObject): (FileFacts & { readonly uri: string | undefined }) | undefined {
  const encrypted = content['file'];
  const uri = isObject(encrypted) ? encrypted['url'] : content['url'];
  if (typeof uri !== 'string' || !uri.startsWith('mxc://')) return undefined;
  const info = isObject(content['info']) ? content['info'] : {};
  const { size, mimetype } = info;
  return {
    uri,
    size: typeof size === 'number' ? size : undefined,
    // What does not say its type may be anything.
    mime: typeof mimetype === 'string' ? mimetype : 'application/octet-stream',
  };
}

/** What the rules look at of a file: not where it is. */
export function fileFacts(file: FileFacts | undefined): FileFacts | undefined {
  return file === undefined ? undefined : { size: file.size, mime: essenceOf(file.mime) };
}

/** `type/subtype` (RFC 9110 §8.3.1) without parameters. The sender chose the text: what is none may be anything. */
function essenceOf(mime: string | undefined): string | undefined {
  if (mime === undefined) return undefined;
  const [essence = ''] = mime.slice(0, 255).split(';', 1);
  return /^\s*[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}\s*$/.test(essence)
    ? essence.trim().toLowerCase()
    : 'application/octet-stream';
}

/** What a state event would change for the people of a server. `implied`: for whom a room of any class is as well. */
export function changeOf(
  server: string,
  type: string,
  content: JsonObject,
  before: JsonObject = {},
  implied: readonly string[] = [],
): StateFacts {
  if (type === 'm.room.power_levels') {
    const level = content['invite'] ?? 0;
    const isNew = level !== (before['invite'] ?? 0) && typeof level === 'number';
    return { remotePower: raisedPower(server, content, before), ...(isNew ? { inviteLevel: level } : {}) };
  }
  if (type === roomClassType) {
    const roomClass = classOf(content);
    return { roomClass: { ...roomClass, sharedWith: [...roomClass.sharedWith, ...implied] } };
  }
  if (type === 'm.room.encryption') return { enablesEncryption: true };
  if (type === 'm.room.history_visibility')
    return { historyVisibility: historyVisibilityOf(content['history_visibility']) };
  return {};
}

const historyVisibilities: readonly unknown[] = ['invited', 'joined', 'shared', 'world_readable'];

/** Free text is no fact. */
function historyVisibilityOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' && historyVisibilities.includes(value) ? value : 'something unknown';
}

/** Levels that people of the server would have and have not yet; `*` stands for everybody. */
function raisedPower(server: string, content: JsonObject, before: JsonObject): Record<string, number> {
  const raised: [string, number][] = [];
  const users = isObject(content['users']) ? content['users'] : {};
  const known = isObject(before['users']) ? before['users'] : {};
  for (const [userId, level] of Object.entries(users))
    if (typeof level === 'number' && serverNameOf(userId) === server && level !== known[userId])
      raised.push([userId, level]);
  const everybody = content['users_default'];
  if (typeof everybody === 'number' && everybody !== before['users_default']) raised.push(['*', everybody]);
  return Object.fromEntries(raised);
}

/** Leaving, being removed, and taking content back. */
export function takesAway(event: {
  readonly type: string;
  readonly stateKey?: string | undefined;
  readonly content: { readonly [key: string]: unknown };
}): boolean {
  if (event.type === 'm.room.redaction') return true;
  const { membership } = event.content;
  return event.type === 'm.room.member' && (membership === 'leave' || membership === 'ban');
}
