import type { DeedName, Outcome } from './deeds.ts';
import type { Narrowing } from './stage.ts';

/** Both directions of one deed under one policy of the island under test (acme) for its partner (bolt). */
export interface Row extends Narrowing {
  readonly deed: DeedName;
  /** `li` of acme does it. Absent where the row is about the other direction alone. */
  readonly outbound?: Outcome;
  /** `bo` of bolt does it. */
  readonly inbound?: Outcome;
}

/**
 * What may cross, written down by hand from the policy's description in the documentation: no line of this is computed
 * from the code that decides. By the part of the policy. Beside it: how long theirs is kept (`retention.test.ts`), and
 * how theirs are marked for ours (`external-label.test.ts`), which keep nothing from crossing.
 */
export const denialTable: Readonly<Record<string, readonly Row[]>> = {
  'nothing said': [
    { policy: {}, deed: 'says something', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'sends org.example.secret', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'sends an encrypted message', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'sends an image of 100 bytes', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'sends a program of 100 bytes', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'has a file that was sent before fetched', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'sets a topic', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'gives the partner level 60', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'opens history to the world', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'turns encryption on', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'invites', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'makes a room with them', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'joins', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'types', outbound: 'arrives', inbound: 'arrives' },
    { policy: {}, deed: 'reads', outbound: 'arrives', inbound: 'arrives' },
  ],

  'allow_local: users': [
    {
      policy: { allow_local: [{ users: ['@li:acme.test'] }] },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { allow_local: [{ users: ['@ann:acme.test'] }] },
      deed: 'says something',
      outbound: '403 local_user_denied',
      // A room is a conversation of the people in it: what theirs say in it is not about one of ours.
      inbound: 'arrives',
    },
    {
      policy: { allow_local: [{ users: ['@ann:acme.test'] }] },
      deed: 'sets a topic',
      outbound: '403 local_user_denied',
    },
    {
      policy: { allow_local: [{ users: ['@ann:acme.test'] }] },
      deed: 'invites',
      outbound: '403 local_user_denied',
      inbound: '403 by acme.test',
    },
    {
      policy: { allow_local: [{ users: ['@ann:acme.test'] }] },
      deed: 'makes a room with them',
      outbound: '403 local_user_denied',
      inbound: '403 by acme.test',
    },
    {
      policy: { allow_local: [{ users: ['@ann:acme.test'] }] },
      deed: 'joins',
      outbound: '403 local_user_denied',
    },
  ],

  'allow_local: departments': [
    {
      policy: { allow_local: [{ departments: ['purchasing'] }] },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { allow_local: [{ departments: ['research'] }] },
      deed: 'says something',
      outbound: '403 local_user_denied',
    },
    {
      policy: { allow_local: [{ departments: ['research'] }, { users: ['@li:acme.test'] }] },
      deed: 'says something',
      outbound: 'arrives',
    },
    {
      policy: { allow_local: [{ departments: ['research'] }] },
      deed: 'invites',
      outbound: '403 local_user_denied',
      inbound: '403 by acme.test',
    },
  ],

  'allow_local: everyone': [
    {
      policy: { allow_local: [{ everyone: true }] },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
  ],

  allow_remote: [
    { policy: { allow_remote: ['*'] }, deed: 'says something', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: { allow_remote: ['@bo:bolt.test'] },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { allow_remote: ['@da:bolt.test'] },
      deed: 'says something',
      outbound: '403 remote_user_denied',
      inbound: 'withheld',
    },
    {
      policy: { allow_remote: ['@da:bolt.test'] },
      deed: 'sets a topic',
      outbound: '403 remote_user_denied',
      inbound: 'withheld',
    },
    {
      policy: { allow_remote: ['@da:bolt.test'] },
      deed: 'invites',
      outbound: '403 remote_user_denied',
      inbound: '403 by acme.test',
    },
  ],

  'invites.outbound': [
    { policy: { invites: { outbound: 'allow' } }, deed: 'invites', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: { invites: { outbound: 'deny' } },
      deed: 'invites',
      outbound: '403 invite_outbound_denied',
      inbound: 'arrives',
    },
    {
      policy: { invites: { outbound: 'deny' } },
      deed: 'makes a room with them',
      outbound: '403 invite_outbound_denied',
      inbound: 'arrives',
    },
    {
      policy: { invites: { outbound: 'deny' } },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
  ],

  'invites.inbound': [
    { policy: { invites: { inbound: 'allow' } }, deed: 'invites', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: { invites: { inbound: 'deny' } },
      deed: 'invites',
      outbound: 'arrives',
      inbound: '403 by acme.test',
    },
  ],

  'invitations that somebody has to approve': [
    {
      policy: { invites: { outbound: 'approve' } },
      deed: 'invites',
      outbound: '403 invite_needs_approval',
      inbound: 'arrives',
    },
    {
      policy: { invites: { inbound: 'approve' } },
      deed: 'invites',
      outbound: 'arrives',
      inbound: '403 invite_needs_approval',
    },
  ],

  'rooms.third_parties': [
    { policy: {}, deed: 'lets cargo in', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: { rooms: { third_parties: 'listed' } },
      deed: 'lets cargo in',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { third_parties: 'deny' } },
      deed: 'lets cargo in',
      outbound: '403 third_party_denied',
      inbound: '403 third_party_refused',
    },
  ],

  directory: [
    { policy: {}, deed: 'looks up somebody of the other side', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: { directory: { expose: [] } },
      deed: 'looks up somebody of the other side',
      outbound: 'arrives',
      inbound: '404 M_NOT_FOUND',
    },
    {
      policy: { directory: { expose: [{ users: ['@ann:acme.test'] }] } },
      deed: 'looks up somebody of the other side',
      inbound: 'arrives',
    },
    {
      policy: { directory: { expose: [{ users: ['@li:acme.test'] }] } },
      deed: 'looks up somebody of the other side',
      inbound: '404 M_NOT_FOUND',
    },
    {
      policy: { directory: { expose: [], contacts: [{ name: 'Purchasing', user_id: '@ann:acme.test' }] } },
      deed: 'looks up somebody of the other side',
      inbound: 'arrives',
    },
    { policy: {}, deed: 'searches the directory (decided only)', inbound: 'allowed' },
    {
      policy: { directory: { expose: [] } },
      deed: 'searches the directory (decided only)',
      inbound: 'person_not_exposed',
    },
    {
      policy: { directory: { expose: [{ departments: ['purchasing'] }] } },
      deed: 'searches the directory (decided only)',
      inbound: 'allowed',
    },
  ],

  'signs of life that are not served yet': [
    { policy: {}, deed: 'shows presence (decided only)', outbound: 'allowed', inbound: 'allowed' },
    {
      policy: { share: { presence: false } },
      deed: 'shows presence (decided only)',
      outbound: 'presence_not_shared',
      inbound: 'presence_not_shared',
    },
    { policy: {}, deed: 'shows device names (decided only)', outbound: 'allowed', inbound: 'allowed' },
    {
      policy: { share: { device_names: false } },
      deed: 'shows device names (decided only)',
      outbound: 'device_names_not_shared',
      inbound: 'device_names_not_shared',
    },
  ],

  callback: [
    {
      policy: {},
      check: { actions: ['message', 'invite', 'join', 'media'], says: 'allow' },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['message'], says: 'deny' },
      deed: 'says something',
      outbound: '403 callback_denied',
      inbound: 'withheld',
    },
    {
      policy: {},
      check: { actions: ['message'], says: 'deny' },
      deed: 'sets a topic',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['invite', 'join', 'media'], says: 'deny' },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['message'], says: 'warn' },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['message'], says: 'nothing', onTimeout: 'deny' },
      deed: 'says something',
      outbound: '403 callback_unanswered',
      inbound: 'withheld',
    },
    {
      policy: {},
      check: { actions: ['message'], says: 'nothing', onTimeout: 'allow' },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['invite'], says: 'deny' },
      deed: 'invites',
      outbound: '403 callback_denied',
      inbound: '403 by acme.test',
    },
    {
      policy: {},
      check: { actions: ['join'], says: 'deny' },
      deed: 'joins',
      outbound: '403 callback_denied',
      inbound: '403 by acme.test',
    },
    {
      policy: {},
      check: { actions: ['media'], says: 'deny' },
      deed: 'sends an image of 100 bytes',
      outbound: '403 callback_denied',
      // The message names a file; the file is what is refused, when somebody wants it.
      inbound: 'arrives',
    },
    {
      policy: {},
      check: { actions: ['media'], says: 'deny' },
      deed: 'has a file that was sent before fetched',
      outbound: '403',
      inbound: '403',
    },
    // What the policy forbids stays forbidden, whatever a callback says.
    {
      policy: { events: { deny: ['m.room.message'] } },
      check: { actions: ['message'], says: 'allow' },
      deed: 'says something',
      outbound: '403 event_type_denied',
      inbound: 'withheld',
    },
  ],

  'a partner that is none any more': [
    {
      policy: {},
      standing: 'suspended',
      deed: 'says something behind a closed border',
      outbound: '403 partner_suspended',
      inbound: 'nothing',
    },
    {
      policy: {},
      standing: 'ended',
      deed: 'says something behind a closed border',
      outbound: '403 partner_expired',
      inbound: 'nothing',
    },
    { policy: {}, standing: 'suspended', deed: 'invites', outbound: '403 partner_suspended' },
    { policy: {}, standing: 'ended', deed: 'invites', outbound: '403 partner_expired' },
    { policy: {}, standing: 'removed', deed: 'invites', outbound: '403 not_a_partner' },
    { policy: {}, standing: 'suspended', deed: 'makes a room with them', outbound: '403 partner_suspended' },
    { policy: {}, standing: 'removed', deed: 'makes a room with them', outbound: '403 not_a_partner' },
    {
      policy: {},
      standing: 'suspended',
      deed: 'has a file that was sent before fetched',
      inbound: '403',
    },
  ],

  'rooms.remote_may_create': [
    {
      policy: { rooms: { remote_may_create: false } },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'withheld',
    },
    {
      policy: { rooms: { remote_may_create: false } },
      deed: 'says something in a room that the other side made',
      outbound: '403 room_of_partner_denied',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { remote_may_create: false } },
      deed: 'invites',
      outbound: 'arrives',
      inbound: '403 by acme.test',
    },
    {
      policy: { rooms: { remote_may_create: true } },
      deed: 'says something in a room that the other side made',
      outbound: 'arrives',
      inbound: 'arrives',
    },
  ],

  'rooms.encryption': [
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'says something',
      outbound: '403 encryption_required',
      inbound: 'withheld',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'sends an encrypted message',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'sends a reaction',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'turns encryption on',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'invites',
      outbound: '403 encryption_required',
      inbound: '403 by acme.test',
    },
    {
      policy: { rooms: { encryption: 'forbidden' } },
      deed: 'invites into an encrypted room',
      outbound: '403 encryption_forbidden',
      inbound: '403 by acme.test',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'invites into an encrypted room',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'makes a room with them',
      outbound: '403 encryption_required',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      deed: 'makes an encrypted room with them',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'forbidden' } },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { encryption: 'forbidden' } },
      deed: 'sends an encrypted message',
      outbound: '403 encryption_forbidden',
      inbound: 'withheld',
    },
    {
      policy: { rooms: { encryption: 'forbidden' } },
      deed: 'turns encryption on',
      outbound: '403 encryption_forbidden',
      inbound: 'withheld',
    },
    {
      policy: { rooms: { encryption: 'forbidden' } },
      deed: 'makes an encrypted room with them',
      outbound: '403 encryption_forbidden',
    },
    {
      policy: { rooms: { encryption: 'optional' } },
      deed: 'sends an encrypted message',
      outbound: 'arrives',
      inbound: 'arrives',
    },
  ],

  'rooms.max_remote_power_level': [
    {
      policy: { rooms: { max_remote_power_level: 50 } },
      deed: 'gives the partner level 50',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { max_remote_power_level: 50 } },
      deed: 'gives the partner level 60',
      outbound: '403 power_level_denied',
      inbound: 'withheld',
    },
    // Whatever the level: a creator's power has no end.
    { policy: {}, deed: 'makes them a creator', outbound: '403 creator_denied' },
  ],

  'rooms.history_visibility': [
    {
      policy: { rooms: { history_visibility: ['joined', 'shared'] } },
      deed: 'closes history',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { rooms: { history_visibility: ['joined', 'shared'] } },
      deed: 'opens history to the world',
      outbound: '403 history_visibility_denied',
      inbound: 'withheld',
    },
    {
      policy: { rooms: { history_visibility: ['joined', 'shared'] } },
      deed: 'makes a room with them with history open to the world',
      outbound: '403 history_visibility_denied',
    },
  ],

  'files.direction': [
    {
      policy: { files: { direction: 'both' } },
      deed: 'sends an image of 100 bytes',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { files: { direction: 'outbound' } },
      deed: 'sends an image of 100 bytes',
      outbound: 'arrives',
      inbound: 'withheld',
    },
    {
      policy: { files: { direction: 'inbound' } },
      deed: 'sends an image of 100 bytes',
      outbound: '403 files_denied',
      inbound: 'arrives',
    },
    {
      policy: { files: { direction: 'none' } },
      deed: 'sends an image of 100 bytes',
      outbound: '403 files_denied',
      inbound: 'withheld',
    },
    {
      policy: { files: { direction: 'none' } },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { files: { direction: 'outbound' } },
      deed: 'has a file that was sent before fetched',
      outbound: 'arrives',
      inbound: '403',
    },
    {
      policy: { files: { direction: 'inbound' } },
      deed: 'has a file that was sent before fetched',
      outbound: '403',
      inbound: 'arrives',
    },
    {
      policy: { files: { direction: 'none' } },
      deed: 'has a file that was sent before fetched',
      outbound: '403',
      inbound: '403',
    },
  ],

  'files.max_size': [
    {
      policy: { files: { max_size: '1K' } },
      deed: 'sends an image of 100 bytes',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { files: { max_size: '1K' } },
      deed: 'sends an image of 2,000 bytes',
      outbound: '403 file_too_large',
      inbound: 'withheld',
    },
  ],

  'files.mime': [
    {
      policy: { files: { mime: ['image/*', 'application/pdf'] } },
      deed: 'sends an image of 100 bytes',
      outbound: 'arrives',
      inbound: 'arrives',
    },
    {
      policy: { files: { mime: ['image/*', 'application/pdf'] } },
      deed: 'sends a program of 100 bytes',
      outbound: '403 file_type_denied',
      inbound: 'withheld',
    },
    // All that is wrong is said at once.
    {
      policy: { files: { mime: ['application/pdf'], max_size: '1K', direction: 'none' } },
      deed: 'sends an image of 2,000 bytes',
      outbound: '403 files_denied file_too_large file_type_denied',
      inbound: 'withheld',
    },
  ],

  share: [
    { policy: { share: { typing: false } }, deed: 'types', outbound: 'nothing', inbound: 'nothing' },
    { policy: { share: { typing: false } }, deed: 'reads', outbound: 'arrives', inbound: 'arrives' },
    { policy: { share: { receipts: false } }, deed: 'reads', outbound: 'nothing', inbound: 'nothing' },
    { policy: { share: { receipts: false } }, deed: 'types', outbound: 'arrives', inbound: 'arrives' },
  ],

  'events.deny': [
    {
      policy: { events: { deny: ['org.example.secret'] } },
      deed: 'sends org.example.secret',
      outbound: '403 event_type_denied',
      inbound: 'withheld',
    },
    {
      policy: { events: { deny: ['org.example.secret'] } },
      deed: 'sets org.example.secret as state',
      outbound: '403 event_type_denied',
      inbound: 'withheld',
    },
    {
      policy: { events: { deny: ['org.example.secret'] } },
      deed: 'says something',
      outbound: 'arrives',
      inbound: 'arrives',
    },
  ],

  'the class of the room': [
    { policy: {}, deed: 'invites into an internal room', outbound: '403 room_internal' },
    { policy: {}, deed: 'makes an internal room with them', outbound: '403 room_internal' },
    { policy: {}, deed: 'invites into a room shared with bolt', outbound: 'arrives', inbound: 'arrives' },
    {
      policy: {},
      deed: 'invites into a room shared with cargo',
      outbound: '403 room_not_shared_with_partner',
    },
    // Theirs join a room of ours that is public to ours.
    { policy: {}, deed: 'joins an internal room', inbound: '403 by acme.test' },
    { policy: {}, deed: 'joins a room shared with cargo', inbound: '403 by acme.test' },
  ],

  'the partner’s policy beside ours': [
    // Ours allows, theirs does not: it is not sent back, and their people do not see it.
    {
      policy: {},
      theirs: { files: { direction: 'outbound' } },
      deed: 'sends an image of 100 bytes',
      outbound: 'withheld',
      inbound: 'arrives',
    },
    {
      policy: {},
      theirs: { files: { direction: 'inbound' } },
      deed: 'sends an image of 100 bytes',
      outbound: 'arrives',
      inbound: '403 files_denied',
    },
    {
      policy: {},
      theirs: { invites: { inbound: 'deny' } },
      deed: 'invites',
      outbound: '403 by bolt.test',
      inbound: 'arrives',
    },
    {
      policy: { invites: { inbound: 'deny' } },
      theirs: { invites: { outbound: 'deny' } },
      deed: 'invites',
      outbound: 'arrives',
      inbound: '403 invite_outbound_denied',
    },
    {
      policy: { share: { typing: false } },
      theirs: { share: { receipts: false } },
      deed: 'types',
      outbound: 'nothing',
      inbound: 'nothing',
    },
    {
      policy: { share: { typing: false } },
      theirs: { share: { receipts: false } },
      deed: 'reads',
      outbound: 'nothing',
      inbound: 'nothing',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      theirs: { rooms: { encryption: 'forbidden' } },
      deed: 'sends an encrypted message',
      outbound: 'withheld',
      inbound: '403 encryption_forbidden',
    },
    {
      policy: { rooms: { encryption: 'required' } },
      theirs: { rooms: { encryption: 'forbidden' } },
      deed: 'says something',
      outbound: '403 encryption_required',
      inbound: 'withheld',
    },
  ],

  // The last part: what it uses up is missing afterwards.
  rate: [
    {
      policy: { rate: { invites_per_hour: 1 } },
      deed: 'invites twice',
      outbound: '429 rate_exceeded',
      inbound: '429 by acme.test',
    },
  ],
};
