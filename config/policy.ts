import { type CallbackPolicy, defaultPartnerPolicy, type PartnerPolicy } from '../policy/partner-policy.ts';
import type { Who, WhoEntry } from '../policy/who.ts';
import type { RawPeople, RawPolicy } from './policy-schema.ts';
import { parseDuration, parseSize } from './units.ts';

/** A `policy:` as it was written, and a way to say where each of its keys stands. */
export interface PolicyLayer {
  readonly raw: RawPolicy;
  /** `FILE:LINE` of a key of it. */
  ruleAt(path: readonly string[]): string;
  /** An absolute path out of one that is written in it. */
  pathIn(path: string): string;
}

/** One policy out of the defaults and the layers above them, the last one on top, key by key. */
export function mergePolicy(layers: readonly PolicyLayer[]): PartnerPolicy {
  return layers.reduce(applyLayer, defaultPartnerPolicy);
}

function applyLayer(below: PartnerPolicy, layer: PolicyLayer): PartnerPolicy {
  const { raw, ruleAt } = layer;
  const { invites, rooms, files, directory, share, events, label, callback, retention, rate } = raw;
  return {
    allowLocal: raw.allow_local === undefined ? below.allowLocal : ours(raw.allow_local),
    allowRemote: raw.allow_remote === undefined ? below.allowRemote : theirs(raw.allow_remote),
    invites: { ...below.invites, ...given(invites ?? {}) },
    rooms: {
      remoteMayCreate: rooms?.remote_may_create ?? below.rooms.remoteMayCreate,
      encryption: rooms?.encryption ?? below.rooms.encryption,
      thirdParties: rooms?.third_parties ?? below.rooms.thirdParties,
      thirdPartyConsent: rooms?.third_party_consent ?? below.rooms.thirdPartyConsent,
      onDrift: rooms?.on_drift ?? below.rooms.onDrift,
      maxRemotePowerLevel: rooms?.max_remote_power_level ?? below.rooms.maxRemotePowerLevel,
      historyVisibility: rooms?.history_visibility ?? below.rooms.historyVisibility,
    },
    files: {
      direction: files?.direction ?? below.files.direction,
      maxSize: files?.max_size === undefined ? below.files.maxSize : parseSize(files.max_size),
      mime: files?.mime ?? below.files.mime,
    },
    directory: {
      expose: directory?.expose === undefined ? below.directory.expose : ours(directory.expose),
      fields: directory?.fields ?? below.directory.fields,
      contacts:
        directory?.contacts?.map(({ name, user_id: userId }) => ({ name, userId })) ??
        below.directory.contacts,
    },
    share: { ...below.share, ...given(share ?? {}) },
    events: { deny: events?.deny ?? below.events.deny },
    label: { ...below.label, ...given(label ?? {}) },
    callback: callback === undefined ? below.callback : callbackOf(callback, layer),
    retention: {
      maxAge: retention?.max_age === undefined ? below.retention.maxAge : parseDuration(retention.max_age),
    },
    rate: {
      eventsPerSecond: rate?.events_per_second ?? below.rate.eventsPerSecond,
      eventBurst: rate?.event_burst ?? below.rate.eventBurst,
      invitesPerHour: rate?.invites_per_hour ?? below.rate.invitesPerHour,
      mediaPerDay: rate?.media_per_day === undefined ? below.rate.mediaPerDay : parseSize(rate.media_per_day),
    },
    rules: { ...below.rules, ...rulesOf(raw, ruleAt) },
  };
}

export const maxCallbackTimeoutMs = 30_000;
const defaultCallbackTimeoutMs = 2_000;

function callbackOf(
  {
    url,
    actions,
    timeout,
    on_timeout: onTimeout,
    secret_path: secretPath,
  }: NonNullable<RawPolicy['callback']>,
  { pathIn }: PolicyLayer,
): CallbackPolicy {
  return {
    url,
    actions,
    timeout: (timeout === undefined ? undefined : parseDuration(timeout)) ?? defaultCallbackTimeoutMs,
    onTimeout: onTimeout ?? 'deny',
    secretPath: secretPath === undefined ? undefined : pathIn(secretPath),
  };
}

/** Keys that have a value: an absent one does not cover what is below. */
function given<T extends object>(raw: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(raw).filter(([, value]) => value !== undefined);
  // What is left has a value.
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function rulesOf(raw: RawPolicy, ruleAt: PolicyLayer['ruleAt']): Record<string, string> {
  const rules: Record<string, string> = {};
  for (const [part, value] of Object.entries(raw)) {
    if (Array.isArray(value)) rules[part] = ruleAt([part]);
    else for (const key of Object.keys(value ?? {})) rules[`${part}.${key}`] = ruleAt([part, key]);
  }
  return rules;
}

function ours(entries: readonly RawPeople[]): Who {
  if (entries.some(({ everyone }) => everyone === true)) return 'everyone';
  return entries.flatMap(({ departments = [], users = [] }): WhoEntry[] => [
    ...departments.map((department) => ({ department })),
    ...users.map((user) => ({ user })),
  ]);
}

function theirs(entries: readonly string[]): Who {
  return entries.includes('*') ? 'everyone' : entries.map((user) => ({ user }));
}
