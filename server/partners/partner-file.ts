import { join } from 'node:path';
import { type Document, isMap, isSeq, parseDocument, stringify, type YAMLMap } from 'yaml';
import type { Config, PartnerConfig } from '../../config/config.ts';
import type { Card } from '../../federation/partners/card.ts';

/** The file that `partner add` writes for a partner. */
export function partnerFile({ directory }: Config, serverName: string): string {
  return join(directory, 'conf.d', 'partners', `${serverName}.yaml`);
}

/** Whether a partner's entry stands in that file. */
export function isInOwnFile(config: Config, partner: PartnerConfig): boolean {
  return partner.source.file === partnerFile(config, partner.serverName);
}

/** The text of a new partner's file, from its card. */
export function newPartnerText(card: Card, now: number): string {
  const { serverName, organization } = card;
  const displayName = organization?.replace(/\p{C}/gu, '').trim() ?? '';
  const entry = {
    server_name: serverName,
    ...(displayName === '' ? {} : { display_name: displayName }),
    verify_keys: verifyKeys(card, undefined, now),
    ...recoveryKeys(card),
    transport: {
      type: 'link',
      ...(card.urls.length === 0 ? {} : { urls: card.urls }),
      dial: ourDial[card.dial],
    },
    card: { issued: new Date(card.issued).toISOString() },
  };
  return [
    `# Written by \`archipelago partner add\`; \`archipelago partner remove ${serverName}\` deletes it.`,
    stringify({ partners: [entry] }, { lineWidth: 0 }),
  ].join('\n');
}

/** A card says who dials as its issuer sees it. */
const ourDial = { both: 'both', outbound: 'inbound', inbound: 'outbound' } as const;

/**
 * The text of a partner's file after a newer card: keys, URLs and the card's date change, everything else that the
 * admin wrote stays. Keys that the card no longer has stay for old events, valid until `now` (milliseconds).
 */
export function updatedPartnerText(text: string, card: Card, before: PartnerConfig, now: number): string {
  const document = parseDocument(text, { stringKeys: true });
  const entry = entryOf(document, card.serverName);
  if (entry === undefined) throw new TypeError('The file has no entry of this partner');
  entry.set('verify_keys', document.createNode(verifyKeys(card, before, now)));
  const { recovery_keys: recovery } = recoveryKeys(card);
  if (recovery !== undefined) entry.set('recovery_keys', document.createNode(recovery));
  if (!isMap(entry.get('transport'))) entry.set('transport', document.createNode({}));
  entry.setIn(['transport', 'urls'], document.createNode(card.urls));
  entry.set('card', document.createNode({ issued: new Date(card.issued).toISOString() }));
  return document.toString({ lineWidth: 0 });
}

/** Whether a file holds this partner's entry and nothing else. */
export function holdsOnly(text: string, serverName: string): boolean {
  const document = parseDocument(text, { stringKeys: true });
  const { contents } = document;
  const partners = document.get('partners');
  return (
    isMap(contents) &&
    contents.items.length === 1 &&
    isSeq(partners) &&
    partners.items.length === 1 &&
    entryOf(document, serverName) !== undefined
  );
}

export function entryOf(document: Document, serverName: string): YAMLMap | undefined {
  const partners = document.get('partners');
  if (!isSeq(partners)) return undefined;
  return partners.items.find(
    (item): item is YAMLMap => isMap(item) && item.get('server_name') === serverName,
  );
}

type KeyEntries = Record<string, { key: string; valid_until?: string }>;

function verifyKeys(card: Card, before: PartnerConfig | undefined, now: number): KeyEntries {
  const entries: KeyEntries = {};
  for (const [keyId, { key, validUntil }] of Object.entries(before?.verifyKeys ?? {}))
    entries[keyId] = { key, valid_until: moment(Math.min(validUntil ?? now, now)) };
  for (const [keyId, { key, validUntil }] of card.oldVerifyKeys)
    entries[keyId] = { key, valid_until: moment(validUntil) };
  for (const [keyId, key] of card.verifyKeys) entries[keyId] = { key };
  return entries;
}

function recoveryKeys({ recoveryKey }: Card): { recovery_keys?: Record<string, { key: string }> } {
  return recoveryKey === undefined
    ? {}
    : { recovery_keys: { [recoveryKey.keyId]: { key: recoveryKey.key } } };
}

function moment(time: number): string {
  return new Date(time).toISOString();
}

/** The keys of an entry that are in use: those that have not ended at `now` (milliseconds). */
export function keysInUse(partner: PartnerConfig, now: number): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(partner.verifyKeys)
      .filter(([, { validUntil }]) => validUntil === undefined || validUntil > now)
      .map(([keyId, { key }]) => [keyId, key]),
  );
}
