import type { Server } from 'node:http';
import type { LinkRequest, LinkResponse, LinkStatus } from './types.ts';

export * from './types.ts';

/** Keeps one link to each active partner: dials, accepts, arbitrates, and carries requests both ways. */
export interface LinkManager {
  /** Serves the link's path on this server: upgrades, and 426 to a plain GET. */
  attach(server: Server): void;
  start(): void;
  /** GOAWAY to all, waits for what is open (bounded), closes. */
  stop(): Promise<void>;
  /** To be called after the partners changed: closes, dials and retries at once. */
  partnersChanged(): void;
  /** Rejects with `LinkUnavailable`, `LinkStreamReset` (deadline included). Waits `waitMs` (10 s) for the link. */
  request(serverName: string, request: LinkRequest, options?: { waitMs?: number }): Promise<LinkResponse>;
  status(serverName: string): LinkStatus;
  on(event: 'up' | 'down', listener: (serverName: string) => void): this;
  /** Ends the links to a partner abruptly, as a torn cable would; it is dialled again. */
  cut(serverName: string): void;
}
