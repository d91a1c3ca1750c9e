/** What the server says to its own people: every text in one place. */

/** How a partner is named: what it is called here, and its server name. */
export interface NamedPartner {
  readonly serverName: string;
  readonly displayName: string | undefined;
}

function nameOf({ serverName, displayName }: NamedPartner): string {
  return displayName === undefined || displayName === serverName
    ? serverName
    : `${displayName} (${serverName})`;
}

function rooms(count: number): string {
  return count === 1 ? 'One of your rooms is' : `${count} of your rooms are`;
}

export const texts = {
  partnerOffline: (partner: NamedPartner): string =>
    `${nameOf(partner)} cannot be reached at the moment. What you write here is kept, and delivered when it can be reached again.`,
  partnerOnline: (partner: NamedPartner): string => `${nameOf(partner)} can be reached again.`,
  partnerSuspended: (partner: NamedPartner, count: number): string =>
    `The connection to ${nameOf(partner)} was suspended by your administrators: nothing passes between you and its people. ${rooms(count)} shared with it; what is in them can still be read.`,
  partnerExpired: (partner: NamedPartner, count: number): string =>
    `The partnership with ${nameOf(partner)} has come to its agreed end: nothing passes between you and its people. ${rooms(count)} shared with it; what is in them can still be read.`,
  partnerRemoved: (partner: NamedPartner, count: number): string =>
    `${nameOf(partner)} is no longer a partner: nothing passes between you and its people. ${rooms(count)} shared with it; what is in them can still be read.`,
  partnerResumed: (partner: NamedPartner, count: number): string =>
    `The connection to ${nameOf(partner)} is open again. ${rooms(count)} shared with it; what waited is being delivered.`,
  invitationWaits: (invitee: string, id: string): string =>
    `The invitation of ${invitee} waits until your administrators have approved it (number ${id}). It is sent then.`,
  invitationWaitsThere: (invitee: string, serverName: string): string =>
    `The invitation of ${invitee} waits until ${serverName} has approved it. It is sent again then.`,
  invitationDenied: (invitee: string): string =>
    `The invitation of ${invitee} was not approved by your administrators.`,
  invitationFailed: (invitee: string): string =>
    `The invitation of ${invitee} was approved, and could not be sent: it is not allowed any more.`,
  invitationExpired: (invitee: string): string =>
    `The invitation of ${invitee} was not approved in time. Invite them again if you still want to.`,
} as const;
