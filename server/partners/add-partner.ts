import { readFile } from 'node:fs/promises';
import type { Config, PartnerConfig } from '../../config/config.ts';
import { type Card, judgeCard, readCard } from '../../federation/partners/card.ts';
import type { PartnerPolicy } from '../../policy/partner-policy.ts';
import { AdminError } from '../admin-error.ts';
import { type Applied, applyChange, loadPlanned, type Reload } from './change-file.ts';
import { isInOwnFile, keysInUse, newPartnerText, partnerFile, updatedPartnerText } from './partner-file.ts';

/** What adding a card would do. */
export interface PlannedPartner {
  readonly card: Card;
  /** `same`: this card is in force already. */
  readonly kind: 'new' | 'newer' | 'same';
  /** The entry in force. */
  readonly before: PartnerConfig | undefined;
  /** What would hold for the partner. */
  readonly policy: PartnerPolicy;
  /** The file that would be written, and its text. */
  readonly file: string;
  readonly text: string;
}

/**
 * Reads a card, and finds out what would come of it. Nothing is written. Throws AdminError with the reason for a
 * card that was altered, has expired, is older than the one in force, is our own, has other keys than the pinned
 * ones (unless `replaceKeys`), or with which the configuration would have mistakes.
 */
export async function planPartner(
  config: Config,
  text: string,
  options: {
    readonly now: number;
    readonly replaceKeys: boolean;
    /** The keys that open a link now, where more is known than the files say: by key id, unpadded base64. */
    keysInUse?(
      serverName: string,
    ): ReadonlyMap<string, string> | undefined | Promise<ReadonlyMap<string, string> | undefined>;
  },
): Promise<PlannedPartner> {
  const { now } = options;
  const reading = readCard(text, { now });
  if (!reading.ok) throw new AdminError(reading.reason);
  const { card } = reading;
  const { serverName } = card;
  if (serverName === config.serverName)
    throw new AdminError(
      `This is the card of ${serverName} itself. Send it to the partner, and add the card that they send you.`,
    );
  const file = partnerFile(config, serverName);
  const before = config.partners.find((partner) => partner.serverName === serverName);
  if (before === undefined) {
    const planned = newPartnerText(card, now);
    return {
      card,
      kind: 'new',
      before,
      file,
      text: planned,
      ...(await wouldBe(config, file, planned, card)),
    };
  }
  const judgement = judgeCard(card, {
    issued: before.card?.issued,
    verifyKeys: (await options.keysInUse?.(serverName)) ?? keysInUse(before, now),
    recoveryKeys: new Map(Object.entries(before.recoveryKeys ?? {}).map(([keyId, { key }]) => [keyId, key])),
  });
  if (judgement.kind === 'older' || (judgement.kind === 'other-keys' && !options.replaceKeys))
    throw new AdminError(judgement.reason);
  if (judgement.kind === 'same') return { card, kind: 'same', before, file, text: '', policy: before.policy };
  if (!isInOwnFile(config, before)) throw elsewhere(before);
  const planned = updatedPartnerText(await readFile(file, 'utf8'), card, before, now);
  return {
    card,
    kind: 'newer',
    before,
    file,
    text: planned,
    ...(await wouldBe(config, file, planned, card)),
  };
}

function elsewhere({ serverName, source }: PartnerConfig): AdminError {
  return new AdminError(
    `The partner ${serverName} stands in ${source.file}:${source.line}, which \`partner add\` did not write. Change it there, or delete the entry there and add the card again.`,
  );
}

/** What the whole configuration would say of the partner. */
async function wouldBe(
  config: Config,
  file: string,
  text: string,
  { serverName }: Card,
): Promise<{ policy: PartnerPolicy }> {
  const { partners } = await loadPlanned(config, file, text);
  const partner = partners.find((candidate) => candidate.serverName === serverName);
  if (partner === undefined) throw new TypeError('A partner that was planned is not there');
  return { policy: partner.policy };
}

/** Makes a planned partner one: writes its file, and tells the running island. */
export function addPartner(
  config: Config,
  { kind, file, text }: PlannedPartner,
  reload: Reload,
): Promise<Applied> {
  return kind === 'same' ? reload() : applyChange(config, file, text, reload);
}
