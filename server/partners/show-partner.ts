import Type, { type Static } from 'typebox';
import type { Config } from '../../config/config.ts';
import { fingerprint } from '../../federation/keys/fingerprint.ts';
import type { PartnerOverlay } from '../../federation/partners/overlay.ts';
import type { Partner, PartnerEntry } from '../../federation/partners/registry.ts';
import { ruleOf } from '../../policy/partner-policy.ts';
import { mayTalk } from '../../policy/rules/talk.ts';
import type { Who } from '../../policy/who.ts';
import type { AdminContext } from '../admin/context.ts';
import { AdminError } from '../admin-error.ts';

const text = Type.String();
const moment = Type.Integer({ description: 'Milliseconds since the epoch.' });
const optionalMoment = Type.Optional(moment);

const shownKey = Type.Object({
  key_id: text,
  key: text,
  fingerprint: text,
  /** Whether it opens a link. */
  state: Type.Enum(['in use', 'ended', 'revoked']),
  valid_until_ts: optionalMoment,
  from: Type.String({ description: 'The line of the configuration, or the record, that it comes from.' }),
});

const setting = Type.Object({
  key: text,
  value: text,
  from: Type.String({
    description: 'The line of the configuration that says so, or that it is the default.',
  }),
});

/** What `partner show` says. */
export const partnerView = Type.Object({
  server_name: text,
  display_name: Type.Optional(text),
  relation: Type.Optional(text),
  files: Type.Object(
    {
      from: text,
      state: Type.Enum(['active', 'suspended']),
      valid_until_ts: optionalMoment,
      card_issued_ts: optionalMoment,
      rotation: Type.Enum(['signed', 'manual']),
      urls: Type.Array(text),
      dial: Type.Enum(['both', 'outbound', 'inbound']),
    },
    { description: 'What the configuration says.' },
  ),
  overlay: Type.Object(
    {
      suspended: Type.Optional(
        Type.Object({ since_ts: moment, by: text, reason: Type.Optional(text), keep_rooms: Type.Boolean() }),
      ),
      accepted_keys: Type.Array(Type.Object({ key_id: text, since_ts: moment, by: text })),
      ended_keys: Type.Array(Type.Object({ key_id: text, at_ts: moment })),
      revoked_keys: Type.Array(Type.Object({ key_id: text, since_ts: moment, by: text })),
    },
    { description: 'What was done at run time, and is kept in the database.' },
  ),
  effective: Type.Object(
    {
      state: Type.Enum(['active', 'suspended']),
      why: Type.Optional(Type.String({ description: 'Of a partner that is not active.' })),
      from: text,
      keys: Type.Array(shownKey),
      recovery_keys: Type.Array(Type.Object({ key_id: text, key: text, fingerprint: text })),
      policy: Type.Array(setting),
    },
    { description: 'The stricter of the two: what holds.' },
  ),
  wrong_key: Type.Optional(
    Type.Object(
      {
        key_id: text,
        key: text,
        fingerprint: text,
        seen_ts: moment,
        times: Type.Integer(),
        announced: Type.Boolean({ description: 'A statement proves it, and rotation is manual.' }),
      },
      {
        description: 'A key that they show and that is not pinned: there is no link until an admin decides.',
      },
    ),
  ),
});

export type PartnerView = Static<typeof partnerView>;

/** Everything about one partner, with where it comes from. Throws AdminError for who is none. */
export function showPartner(context: AdminContext, serverName: string): PartnerView {
  const { partners, clock, island } = context;
  const [entry, partner] = [partners.entry(serverName), partners.get(serverName)];
  if (entry === undefined || partner === undefined)
    throw new AdminError(`${serverName} is not a partner of this server`, { kind: 'not-found' });
  const overlay = partners.overlay(serverName);
  const talk = mayTalk(partners, serverName, clock.now());
  const wrong = island?.federation.partnerKeys.wrongKey(serverName);
  const from = entry.source.rule ?? `${entry.source.file}:${entry.source.line}`;
  const why = talk.allowed ? undefined : talk.violations[0]?.message;
  return {
    server_name: serverName,
    ...namesOf(context.config, serverName),
    files: {
      from,
      state: entry.state,
      ...(entry.validUntil === undefined ? {} : { valid_until_ts: entry.validUntil }),
      ...(entry.card === undefined ? {} : { card_issued_ts: entry.card.issued }),
      rotation: partner.rotation,
      urls: [...entry.transport.urls],
      dial: entry.transport.dial,
    },
    overlay: overlayView(overlay),
    effective: {
      state: talk.allowed ? 'active' : 'suspended',
      ...(why === undefined ? {} : { why }),
      from: partner.rule,
      keys: keysOf(entry, partner, overlay, clock.now(), from),
      recovery_keys: [...partner.recoveryKeys].map(([keyId, key]) => named(keyId, key)),
      policy: policyOf(partner),
    },
    ...(wrong === undefined
      ? {}
      : {
          wrong_key: {
            ...named(wrong.keyId, wrong.key),
            seen_ts: wrong.ts,
            times: wrong.times,
            announced: wrong.isAnnounced,
          },
        }),
  };
}

function namesOf({ partners }: Config, serverName: string): { display_name?: string; relation?: string } {
  const configured = partners.find((partner) => partner.serverName === serverName);
  const { displayName, relation } = configured ?? {};
  return {
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(relation === undefined ? {} : { relation }),
  };
}

function overlayView({
  suspended,
  acceptedKeys,
  endedKeys,
  revokedKeys,
}: PartnerOverlay): PartnerView['overlay'] {
  return {
    ...(suspended === undefined
      ? {}
      : {
          suspended: {
            since_ts: suspended.since,
            by: suspended.by,
            ...(suspended.reason === undefined ? {} : { reason: suspended.reason }),
            keep_rooms: suspended.keepRooms,
          },
        }),
    accepted_keys: Object.entries(acceptedKeys).map(([keyId, { since, by }]) => ({
      key_id: keyId,
      since_ts: since,
      by,
    })),
    ended_keys: Object.entries(endedKeys).map(([keyId, at]) => ({ key_id: keyId, at_ts: at })),
    revoked_keys: Object.entries(revokedKeys).map(([keyId, { since, by }]) => ({
      key_id: keyId,
      since_ts: since,
      by,
    })),
  };
}

function keysOf(
  entry: PartnerEntry,
  partner: Partner,
  overlay: PartnerOverlay,
  now: number,
  file: string,
): PartnerView['effective']['keys'] {
  return [...partner.verifyKeys].map(([keyId, { key, validUntil }]) => {
    const accepted = overlay.acceptedKeys[keyId];
    const revoked = overlay.revokedKeys[keyId];
    const isEnded = validUntil !== undefined && validUntil <= now;
    const origin =
      entry.verifyKeys[keyId] === undefined && accepted !== undefined
        ? `accepted at ${iso(accepted.since)} by ${accepted.by}`
        : file;
    return {
      ...named(keyId, key),
      state: revoked !== undefined ? 'revoked' : isEnded ? 'ended' : 'in use',
      ...(validUntil === undefined ? {} : { valid_until_ts: validUntil }),
      from: revoked === undefined ? origin : `${origin}, revoked at ${iso(revoked.since)} by ${revoked.by}`,
    };
  });
}

function named(keyId: string, key: string) {
  return { key_id: keyId, key, fingerprint: fingerprint(key) };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** The rows of the policy as they would be written in the file, each with where it stands. */
function policyOf({ policy }: Partner): PartnerView['effective']['policy'] {
  const { invites, rooms, files, directory, share, events, label, callback, retention, rate } = policy;
  const rows: [key: string, value: string][] = [
    ['allow_local', people(policy.allowLocal)],
    ['allow_remote', people(policy.allowRemote)],
    ['invites.outbound', invites.outbound],
    ['invites.inbound', invites.inbound],
    ['rooms.remote_may_create', String(rooms.remoteMayCreate)],
    ['rooms.encryption', rooms.encryption],
    ['rooms.third_parties', rooms.thirdParties],
    ['rooms.third_party_consent', rooms.thirdPartyConsent],
    ['rooms.on_drift', rooms.onDrift],
    ['rooms.max_remote_power_level', String(rooms.maxRemotePowerLevel)],
    ['rooms.history_visibility', list(rooms.historyVisibility === 'any' ? ['any'] : rooms.historyVisibility)],
    ['files.direction', files.direction],
    ['files.max_size', files.maxSize === undefined ? 'any' : `${files.maxSize} bytes`],
    ['files.mime', list(files.mime ?? ['any'])],
    ['directory.expose', people(directory.expose)],
    ['directory.fields', list(directory.fields)],
    ['directory.contacts', list(directory.contacts.map(({ name, userId }) => `${name}: ${userId}`))],
    ['share.presence', String(share.presence)],
    ['share.typing', String(share.typing)],
    ['share.receipts', String(share.receipts)],
    ['share.device_names', String(share.device_names)],
    ['events.deny', list(events.deny)],
    ['label', label.show ? (label.suffix ?? 'the name of the partner') : 'none'],
    ['callback', callback === undefined ? 'none' : `${callback.url} for ${list(callback.actions)}`],
    [
      'retention.max_age',
      retention.maxAge === undefined ? 'for ever' : `${retention.maxAge / 86_400_000} days`,
    ],
    ['rate.events_per_second', bound(rate.eventsPerSecond)],
    ['rate.event_burst', bound(rate.eventBurst)],
    ['rate.invites_per_hour', bound(rate.invitesPerHour)],
    ['rate.media_per_day', rate.mediaPerDay === undefined ? 'any' : `${rate.mediaPerDay} bytes`],
  ];
  return rows.map(([key, value]) => ({ key, value, from: ruleOf(policy, key) }));
}

function bound(value: number | undefined): string {
  return value === undefined ? 'any' : String(value);
}

function people(who: Who): string {
  if (who === 'everyone') return 'everyone';
  if (who.length === 0) return 'nobody';
  return list(who.map((entry) => ('user' in entry ? entry.user : `department ${entry.department}`)));
}

function list(values: readonly string[]): string {
  return values.length === 0 ? 'none' : values.join(', ');
}
