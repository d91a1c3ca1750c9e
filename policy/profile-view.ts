import type { PartnerPolicy } from './partner-policy.ts';

/** A profile as it is kept; what is not set is absent. */
export interface Profile {
  readonly displayName?: string | undefined;
  readonly avatar?: string | undefined;
}

/**
 * What of the profile of one of ours a partner sees that may see it at all (question `profile`). Who shares a room
 * with somebody sees them whole; others see the fields of `directory.fields`, and a role contact by its name.
 */
export function profileView(
  { directory }: PartnerPolicy,
  userId: string,
  profile: Profile,
  sharesRoom: boolean,
): Profile {
  if (sharesRoom) return profile;
  const contact = directory.contacts.find((known) => known.userId === userId);
  const shows = (field: string): boolean => directory.fields.includes(field);
  return {
    displayName: contact?.name ?? (shows('display_name') ? profile.displayName : undefined),
    avatar: shows('avatar') ? profile.avatar : undefined,
  };
}
