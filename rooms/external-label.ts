import { serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { Border, ExternalLabel } from './ports.ts';
import { shownPdu } from './quarantine.ts';
import type { StoredEvent } from './types.ts';

/**
 * How our people recognise those of other servers in any client: their display names get a suffix, and `unsigned` and
 * profiles say of where they are. Only what goes to our own clients passes here. What was signed stays as it is, on
 * disk and between servers.
 */

/** In `unsigned` of member events and in profiles. */
export const externalKey = 'org.archipelago.external';

export function externalLabel(of: {
  readonly serverName: string;
  readonly displayName?: string | undefined;
  readonly relation?: string | undefined;
  readonly suffix?: string | undefined;
}): ExternalLabel {
  const label = of.displayName ?? of.serverName;
  return {
    suffix: of.suffix ?? ` (${label})`,
    about: {
      server_name: of.serverName,
      label,
      ...(of.relation === undefined ? {} : { relation: of.relation }),
    },
  };
}

/** The label of the member that an event is about; undefined for our own people and for everything else. */
export function labelFor(
  border: Pick<Border, 'labelOf'>,
  event: { readonly type: string; readonly state_key?: string | undefined },
): ExternalLabel | undefined {
  if (event.type !== 'm.room.member' || event.state_key === undefined) return undefined;
  return border.labelOf(serverNameOf(event.state_key));
}

/**
 * A profile, or the content of a member event, with the label on its name. Where there is no name clients show the
 * user id, which names the server.
 */
export function labelled(content: JsonObject, { suffix }: ExternalLabel): JsonObject {
  const { displayname } = content;
  if (typeof displayname !== 'string') return content;
  const name = readable(displayname);
  if (name === '') return content;
  return { ...content, displayname: name.endsWith(suffix) ? name : name + suffix };
}

/** What people see as the content of an event. */
export function shownContent(border: Pick<Border, 'labelOf'>, event: StoredEvent): JsonObject {
  const pdu = shownPdu(event);
  const label = labelFor(border, pdu);
  return label === undefined ? pdu.content : labelled(pdu.content, label);
}

/** Undoes `labelled` in what a client writes of that member: what it read there it may repeat. */
export function unlabelled(
  border: Pick<Border, 'labelOf'>,
  content: JsonObject,
  member: StoredEvent | undefined,
): JsonObject {
  if (member === undefined || content['displayname'] === undefined) return content;
  const real = shownPdu(member).content['displayname'];
  const isShown = content['displayname'] === shownContent(border, member)['displayname'];
  return isShown && real !== undefined ? { ...content, displayname: real } : content;
}

const maxNameLength = 80;

/**
 * The name without what would hide the suffix: line breaks, characters that turn the direction of writing, and a
 * length that pushes it out of sight.
 */
function readable(name: string): string {
  const plain = name
    .replace(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2028\u2029\u2066-\u2069\u061C]+/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  const characters = [...plain.slice(0, 4 * maxNameLength)];
  return characters.length <= maxNameLength ? plain : `${characters.slice(0, maxNameLength).join('')}…`;
}
