import type { PartnerPolicy } from '../policy/partner-policy.ts';
import { parseUserId } from '../protocol/identifiers.ts';
import { objectionToSecret } from './check-paths.ts';
import type { PartnerConfig } from './config.ts';
import type { Draft, PartnerDraft } from './draft.ts';
import { checkDefaultTransport, transportOf } from './partner-transport.ts';
import { maxCallbackTimeoutMs, mergePolicy, type PolicyLayer } from './policy.ts';
import type { RawPolicy } from './policy-schema.ts';
import { parseDuration, parseEnd, parseMoment } from './units.ts';

/** Checks the partners against each other, this island and the date, and gives them their final form. */
export async function checkPartners(draft: Draft, serverName: string, now: number): Promise<PartnerConfig[]> {
  const seen = new Map<string, PartnerDraft>();
  const partners: PartnerConfig[] = [];
  for (const entry of draft.partners) {
    const { raw, file, path } = entry;
    const nameAt = file.offsetOf([...path, 'server_name']);
    if (raw.server_name === serverName)
      draft.report(file, nameAt, `${serverName} is this island itself: it cannot be its own partner`);
    const first = seen.get(raw.server_name);
    if (first !== undefined) {
      const { line } = first.file.at(first.file.offsetOf([...first.path, 'server_name']));
      const message = `the partner ${raw.server_name} stands in ${first.file.path}:${line} already`;
      draft.report(file, nameAt, message, 'keep one of them');
    }
    seen.set(raw.server_name, first ?? entry);
    checkPeople(draft, entry, serverName);
    await checkCallback(draft, file, [...path, 'policy'], raw.policy);
    partners.push(await checkPartner(draft, entry, now));
  }
  await checkDefaultTransport(draft);
  const defaults = draft.raw.partner_defaults?.policy;
  if (defaults !== undefined) {
    const file = draft.fileOf('partner_defaults');
    checkOurs(draft, file, ['partner_defaults', 'policy'], defaults, serverName);
    await checkCallback(draft, file, ['partner_defaults', 'policy'], defaults);
  }
  return partners;
}

async function checkPartner(
  draft: Draft,
  { raw, file, path }: PartnerDraft,
  now: number,
): Promise<PartnerConfig> {
  const validUntil = raw.valid_until === undefined ? undefined : parseEnd(raw.valid_until);
  if (validUntil !== undefined && validUntil <= now)
    draft.warn(
      file,
      file.offsetOf([...path, 'valid_until']),
      `the partnership with ${raw.server_name} has ended, so it is suspended`,
    );
  const keys = Object.entries(raw.verify_keys ?? {}).map(([keyId, entry]) => {
    const end = entry?.valid_until === undefined ? undefined : parseEnd(entry.valid_until);
    return [keyId, { key: unpadded(entry?.key), ...(end === undefined ? {} : { validUntil: end }) }] as const;
  });
  if (keys.length > 0 && keys.every(([, { validUntil: end }]) => end !== undefined && end <= now))
    draft.warn(
      file,
      file.offsetOf([...path, 'verify_keys']),
      `every key of ${raw.server_name} has ended, so there can be no link`,
      'ask for a new card',
    );
  const issued = raw.card === undefined ? undefined : parseMoment(raw.card.issued);
  return {
    serverName: raw.server_name,
    displayName: raw.display_name,
    relation: raw.relation,
    state: raw.state ?? 'active',
    validUntil,
    verifyKeys: Object.fromEntries(keys),
    recoveryKeys: Object.fromEntries(
      Object.entries(raw.recovery_keys ?? {}).map(([keyId, entry]) => [keyId, { key: unpadded(entry?.key) }]),
    ),
    rotation: raw.rotation ?? 'signed',
    transport: await transportOf(draft, { raw, file, path }),
    policy: mergePolicy(layersOf(draft, { raw, file, path })),
    card: issued === undefined ? undefined : { issued },
    source: {
      file: file.path,
      ...file.at(file.offsetOf(path)),
      rule: draft.ruleAt(file, file.offsetOf(path)),
    },
  };
}

/** People of ours are named where ours are meant, and theirs where theirs are. */
function checkPeople(draft: Draft, { raw, file, path }: PartnerDraft, serverName: string): void {
  if (raw.policy === undefined) return;
  checkOurs(draft, file, [...path, 'policy'], raw.policy, serverName);
  for (const [index, userId] of (raw.policy.allow_remote ?? []).entries())
    if (userId !== '*' && parseUserId(userId)?.serverName !== raw.server_name)
      draft.report(
        file,
        file.offsetOf([...path, 'policy', 'allow_remote', index]),
        `${userId} is not of ${raw.server_name}`,
      );
}

function checkOurs(
  draft: Draft,
  file: PartnerDraft['file'],
  path: PartnerDraft['path'],
  policy: RawPolicy,
  serverName: string,
): void {
  for (const [key, entries] of [
    [['allow_local'], policy.allow_local],
    [['directory', 'expose'], policy.directory?.expose],
  ] as const)
    for (const [index, { users = [] }] of (entries ?? []).entries())
      for (const [at, userId] of users.entries())
        if (parseUserId(userId)?.serverName !== serverName)
          draft.report(
            file,
            file.offsetOf([...path, ...key, index, 'users', at]),
            `${userId} is not of this island (${serverName})`,
          );
}

async function checkCallback(
  draft: Draft,
  file: PartnerDraft['file'],
  path: PartnerDraft['path'],
  policy: RawPolicy | undefined,
): Promise<void> {
  const { timeout, secret_path: secretPath } = policy?.callback ?? {};
  const place = (key: string): number => file.offsetOf([...path, 'callback', key]);
  if (timeout !== undefined && (parseDuration(timeout) ?? 0) > maxCallbackTimeoutMs)
    draft.report(file, place('timeout'), `timeout must be ${maxCallbackTimeoutMs / 1_000}s at most`);
  if (secretPath === undefined) return;
  const objection = await objectionToSecret(draft.pathIn(file, secretPath));
  if (objection !== undefined)
    draft.report(file, place('secret_path'), `secret_path ${objection.message}`, objection.suggestion);
}

/** What holds for a partner whose entry says nothing of its own. */
export function defaultPolicy(draft: Draft): PartnerPolicy {
  return mergePolicy(defaultLayers(draft));
}

/** The defaults of this island, and above them what the entry says. */
function layersOf(draft: Draft, { raw, file, path }: PartnerDraft): PolicyLayer[] {
  return [
    ...defaultLayers(draft),
    ...(raw.policy === undefined ? [] : [layerAt(draft, raw.policy, file, [...path, 'policy'])]),
  ];
}

function defaultLayers(draft: Draft): PolicyLayer[] {
  const defaults = draft.raw.partner_defaults?.policy;
  if (defaults === undefined) return [];
  return [layerAt(draft, defaults, draft.fileOf('partner_defaults'), ['partner_defaults', 'policy'])];
}

function layerAt(
  draft: Draft,
  policy: RawPolicy,
  at: PartnerDraft['file'],
  base: PartnerDraft['path'],
): PolicyLayer {
  return {
    raw: policy,
    ruleAt: (key) => draft.ruleAt(at, at.keyOffset([...base, ...key])),
    pathIn: (text) => draft.pathIn(at, text),
  };
}

/** Keys are compared as texts, so there is one way to write them. */
function unpadded(key: string | undefined): string {
  return (key ?? '').replace(/=+$/, '');
}
