import { readFile } from 'node:fs/promises';
import type { Config, PartnerConfig } from '../../config/config.ts';
import { type Card, type CardInForce, judgeCard, readCard } from '../../federation/card.ts';
import { AdminError } from '../admin-error.ts';
import { type Applied, applyChange, reload } from './change-file.ts';
import { isInOwnFile, keysInUse, newPartnerText, partnerFile, updatedPartnerText } from './partner-file.ts';

/** What adding a card would do. */
export interface PlannedPartner {
  readonly card: Card;
  /** `same`: this card is in force already. */
  readonly kind: 'new' | 'newer' | 'same';
  /** The entry in force. */
  readonly before: PartnerConfig | undefined;
}

/**
 * Reads a card and compares it with what is in force. Nothing is written. Throws AdminError with the reason for a
 * card that was altered, has expired, is older than the one in force, is our own, or has other keys than the
 * pinned ones (unless `replaceKeys`).
 */
export function planPartner(
  config: Config,
  text: string,
  options: { readonly now: number; readonly replaceKeys: boolean },
): PlannedPartner {
  const { now, replaceKeys } = options;
  const reading = readCard(text, { now });
  if (!reading.ok) throw new AdminError(reading.reason);
  const { card } = reading;
  if (card.serverName === config.serverName)
    throw new AdminError(
      `This is the card of ${card.serverName} itself. Send it to the partner, and add the card that they send you.`,
    );
  const before = config.partners.find((partner) => partner.serverName === card.serverName);
  const judgement = judgeCard(card, before === undefined ? undefined : inForce(before, now));
  if (judgement.kind === 'older') throw new AdminError(judgement.reason);
  if (judgement.kind === 'other-keys' && !replaceKeys) throw new AdminError(judgement.reason);
  const kind = judgement.kind === 'other-keys' ? 'newer' : judgement.kind;
  if (kind === 'newer' && before !== undefined && !isInOwnFile(config, before)) throw elsewhere(before);
  return { card, kind, before };
}

function inForce(partner: PartnerConfig, now: number): CardInForce {
  return { issued: partner.card?.issued, verifyKeys: keysInUse(partner, now) };
}

function elsewhere({ serverName, source }: PartnerConfig): AdminError {
  return new AdminError(
    `The partner ${serverName} stands in ${source.file}:${source.line}, which \`partner add\` did not write. Change it there, or delete the entry there and add the card again.`,
  );
}

/** Makes a planned partner one: writes the file if the whole configuration is right with it, and tells the island. */
export async function addPartner(config: Config, planned: PlannedPartner, now: number): Promise<Applied> {
  const { card, kind, before } = planned;
  if (kind === 'same') return reload(config);
  const file = partnerFile(config, card.serverName);
  const text =
    before === undefined
      ? newPartnerText(card, now)
      : updatedPartnerText(await readFile(file, 'utf8'), card, before, now);
  return applyChange(config, file, text);
}
