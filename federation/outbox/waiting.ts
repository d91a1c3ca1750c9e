import type { OutboxStore } from '../../storage/stores/outbox-store.ts';

/** Outbox rows that are not acknowledged, by lane. */
export interface Waiting {
  readonly pdu: number;
  readonly device: number;
  readonly ephemeral: number;
}

/** Counts what is still to be delivered, and gives it for each partner. */
export async function waitingIn(outbox: OutboxStore): Promise<(serverName: string) => Waiting> {
  const counts = await outbox.counts();
  const count = (serverName: string, lane: string): number =>
    counts.find((row) => row.destination === serverName && row.lane === lane)?.count ?? 0;
  return (serverName) => ({
    pdu: count(serverName, 'pdu'),
    device: count(serverName, 'device'),
    ephemeral: count(serverName, 'ephemeral'),
  });
}
