import { join } from 'node:path';
import type { Config, PartnerConfig } from '../../config/config.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';

export interface ConfigOptions {
  readonly enableRegistration?: boolean;
  readonly registrationSharedSecret?: string;
  readonly maxUploadSize?: number;
  readonly defaultRoomVersion?: string;
  readonly publicBaseurl?: string;
  readonly database?: Config['database'];
  readonly offlineNoticeAfterMs?: number;
  /** Whether it has a listener for the admin API, after the one for clients. */
  readonly adminApi?: boolean;
  readonly auditSyslog?: string;
  /** What the policies of all partners differ in from the defaults. */
  readonly partnerPolicy?: Partial<PartnerPolicy>;
  readonly encryption?: Config['encryption'];
  readonly internalDepartments?: readonly string[];
}

/** The configuration of an island that keeps all it has in one folder and listens on any free port of loopback. */
export function testConfig({
  serverName,
  directory,
  partners,
  ...options
}: ConfigOptions & {
  readonly serverName: string;
  readonly directory: string;
  readonly partners: readonly PartnerConfig[];
}): Config {
  return {
    file: join(directory, 'homeserver.yaml'),
    directory,
    serverName,
    publicBaseurl: options.publicBaseurl,
    signingKeyPath: join(directory, 'signing.key'),
    linkKeyPath: join(directory, 'link.key'),
    listeners: [listener(['client', 'link']), ...(options.adminApi === true ? [listener(['admin'])] : [])],
    database: options.database ?? { type: 'sqlite', path: join(directory, 'homeserver.db') },
    dataDirectory: directory,
    mediaStorePath: join(directory, 'media'),
    maxUploadSize: options.maxUploadSize ?? 1024 * 1024,
    enableRegistration: options.enableRegistration ?? false,
    registrationSharedSecret: options.registrationSharedSecret,
    encryption: options.encryption,
    internalDepartments: options.internalDepartments,
    defaultRoomVersion: options.defaultRoomVersion ?? '12',
    serverNotices: { localpart: 'notices', displayName: 'Server notices', roomName: 'Server notices' },
    offlineNoticeAfterMs: options.offlineNoticeAfterMs ?? 5 * 60_000,
    auditSyslog: options.auditSyslog,
    partners,
  };
}

/** An entry for a partner, its key pinned, that is reached over a port of loopback; without one it dials. */
export function partnerEntry(
  serverName: string,
  signingKey: { readonly keyId: string; readonly publicKey: string },
  port?: number,
  policy: Partial<PartnerPolicy> = {},
): PartnerConfig {
  return {
    serverName,
    state: 'active',
    verifyKeys: { [signingKey.keyId]: { key: signingKey.publicKey } },
    transport: {
      type: 'link',
      urls: port === undefined ? [] : [`ws://127.0.0.1:${port}/_archipelago/link/v1`],
      dial: port === undefined ? 'inbound' : 'both',
      allowPrivateIp: false,
      allowCleartext: false,
      tls: {},
    },
    policy: { ...defaultPartnerPolicy, ...policy },
    source: { file: 'homeserver.yaml', line: 1, column: 1, rule: 'homeserver.yaml:1' },
  };
}

function listener(resources: Config['listeners'][number]['resources']): Config['listeners'][number] {
  return { port: 0, bindAddresses: ['127.0.0.1'], xForwarded: false, trustedProxies: [], resources };
}
