import type { IslandPolicy } from '../policy/book.ts';
import type { PartnerPolicy } from '../policy/partner-policy.ts';
import type { DatabaseConfig } from './database-config.ts';

/** What an island was configured to be: read from `homeserver.yaml`, checked, complete and frozen. */
export interface Config {
  /** Absolute path of `homeserver.yaml`. */
  readonly file: string;
  /** The folder that it stands in. */
  readonly directory: string;
  readonly serverName: string;
  /** Where clients and partners reach this island from outside. */
  readonly publicBaseurl?: string | undefined;
  readonly signingKeyPath: string;
  /** The link's static key: beside the signing key. */
  readonly linkKeyPath: string;
  /** The folder of the keys and the control socket. */
  readonly dataDirectory: string;
  readonly listeners: readonly ListenerConfig[];
  readonly database: DatabaseConfig;
  readonly mediaStorePath: string;
  /** Bytes. */
  readonly maxUploadSize: number;
  readonly enableRegistration: boolean;
  readonly registrationSharedSecret?: string | undefined;
  /** An HTTP proxy (CONNECT) for links to partners: `http://HOST:PORT`. */
  readonly httpsProxy?: string | undefined;
  readonly organization?: OrganizationConfig | undefined;
  readonly defaultRoomVersion: string;
  /** What holds for end-to-end encryption on this island; optional where it is absent. */
  readonly encryption?: IslandPolicy | undefined;
  /** Departments whose rooms begin as internal. */
  readonly internalDepartments?: readonly string[] | undefined;
  /** How long a card that we print can be used; 30 days by default. */
  readonly cardLifetimeMs?: number | undefined;
  readonly serverNotices: ServerNoticesConfig;
  /** A partner without a link for so long is said to be offline; undefined: never. */
  readonly offlineNoticeAfterMs: number | undefined;
  /** A syslog server that gets the audit log: `udp://`, `tcp://` or `tls://`. */
  readonly auditSyslog?: string | undefined;
  readonly partners: readonly PartnerConfig[];
  /** What holds for a partner whose entry says nothing of its own; the built-in defaults if it is absent. */
  readonly defaultPolicy?: PartnerPolicy | undefined;
}

export type ListenerResource = 'client' | 'federation' | 'link' | 'health' | 'admin';

export interface ListenerConfig {
  readonly port: number;
  readonly bindAddresses: readonly string[];
  /** TLS of the island itself; without it a reverse proxy is expected in front. */
  readonly tls?: ListenerTls | undefined;
  /** Whether a reverse proxy stands in front and names the caller in `X-Forwarded-For`. */
  readonly xForwarded: boolean;
  /** The proxies that are believed. */
  readonly trustedProxies: readonly string[];
  readonly resources: readonly ListenerResource[];
}

/** A certificate and its key: where they were read, and what was read. */
export interface ListenerTls {
  readonly certificatePath: string;
  readonly privateKeyPath: string;
  /** PEM, the chain included. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

/** How the server speaks to its own people. */
export interface ServerNoticesConfig {
  readonly localpart: string;
  readonly displayName: string;
  readonly roomName: string;
}

interface OrganizationConfig {
  readonly name?: string | undefined;
  readonly adminContact?: string | undefined;
}

/** A server that this island talks to, and by which keys it is known. */
export interface PartnerConfig {
  readonly serverName: string;
  readonly displayName?: string | undefined;
  readonly relation?: PartnerRelation | undefined;
  readonly state: 'active' | 'suspended';
  /** Milliseconds since the epoch; from then on the partner is suspended. */
  readonly validUntil?: number | undefined;
  /** Pinned signing keys by key id: unpadded base64, and until when an old one was valid (milliseconds). */
  readonly verifyKeys: Readonly<
    Record<string, { readonly key: string; readonly validUntil?: number | undefined }>
  >;
  /** Offline keys with which they can prove a new signing key; unpadded base64. */
  readonly recoveryKeys?: Readonly<Record<string, { readonly key: string }>> | undefined;
  /** `manual`: a new signing key needs our admin's word. */
  readonly rotation?: 'signed' | 'manual' | undefined;
  readonly transport: {
    readonly type: 'link';
    readonly urls: readonly string[];
    readonly dial: 'both' | 'outbound' | 'inbound';
    readonly allowPrivateIp: boolean;
    readonly allowCleartext: boolean;
    readonly tls: { readonly caPath?: string | undefined };
  };
  readonly policy: PartnerPolicy;
  /** The card in force, if the entry was made from one: when it was issued (milliseconds). */
  readonly card?: { readonly issued: number } | undefined;
  /** Where the entry stands. `file` is an absolute path; line and column count from 1. */
  readonly source: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    /** `FILE:LINE` as decisions name it, seen from the main file. */
    readonly rule: string;
  };
}

export type PartnerRelation = 'supplier' | 'customer' | 'carrier' | 'subsidiary' | 'partner';
