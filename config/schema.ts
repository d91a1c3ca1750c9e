import Type, { type Static } from 'typebox';
import { partnerDefaultsSchema, partnerSchema } from './partner-schema.ts';
import { closed, text } from './schema-kit.ts';

/**
 * The keys of `homeserver.yaml`. Keys that Synapse also has keep its name and meaning. `takesEffect` says of each part
 * what a change needs; docs/configuration.md and docs/homeserver.schema.json are made of what stands here.
 */

const listenerTls = Type.Object(
  {
    certificate_path: text('path', 'The certificate in PEM, with the chain below it.', {
      takesEffect: 'reload',
      examples: ['tls/fullchain.pem'],
    }),
    private_key_path: text('path', 'Its private key in PEM, without a passphrase.', {
      takesEffect: 'reload',
      examples: ['tls/privkey.pem'],
    }),
  },
  {
    ...closed,
    description:
      'TLS of the island itself. Without it this listener speaks plain HTTP, for a reverse proxy in front. A reload takes renewed files over, and open connections go on.',
    byDefault: 'no TLS',
  },
);

const listener = Type.Object(
  {
    port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'TCP port.', examples: [8008] }),
    bind_addresses: Type.Optional(
      Type.Array(text('address', 'An IP address.'), {
        minItems: 1,
        description: 'Addresses to listen on.',
        default: ['127.0.0.1'],
        examples: [['0.0.0.0', '::']],
      }),
    ),
    tls: Type.Optional(listenerTls),
    x_forwarded: Type.Optional(
      Type.Boolean({
        description: 'Believe X-Forwarded-For of the trusted proxies: who the client is.',
        default: false,
      }),
    ),
    trusted_proxies: Type.Optional(
      Type.Array(text('address-range', 'An IP address or a range.'), {
        description: 'Reverse proxies whose X-Forwarded-For is believed.',
        default: [],
        examples: [['127.0.0.1', '10.0.0.0/8']],
      }),
    ),
    resources: Type.Optional(
      Type.Array(
        Type.Enum(['client', 'federation', 'link', 'health', 'admin'], {
          description: 'What is served.',
          notYet: {
            metrics: 'nothing serves metrics yet',
            scim: 'nothing serves SCIM yet',
          },
        }),
        {
          minItems: 1,
          description:
            'What is served here: client (the API for Matrix clients), federation, link (for partners), health (GET /_archipelago/health), admin (the admin API, for users with roles).',
          default: ['client', 'federation', 'link'],
          examples: [['health', 'admin']],
        },
      ),
    ),
  },
  closed,
);

const database = Type.Object(
  {
    type: Type.Enum(['sqlite', 'postgres'], { description: 'Which database.', examples: ['postgres'] }),
    path: Type.Optional(
      text('path', 'The file of a SQLite database.', {
        default: 'data/homeserver.db',
        onlyWith: { type: 'sqlite' },
      }),
    ),
    url: Type.Optional(
      text('secret', 'The address of a PostgreSQL database.', {
        onlyWith: { type: 'postgres' },
        examples: ['postgres://USER:PASSWORD@HOST/DATABASE'],
      }),
    ),
    url_path: Type.Optional(
      text('path', 'A file that holds that address and nothing else.', {
        onlyWith: { type: 'postgres' },
        examples: ['secrets/pg.url'],
      }),
    ),
  },
  {
    ...closed,
    takesEffect: 'restart',
    description: 'Where everything is kept but files.',
    default: { type: 'sqlite' },
  },
);

const organization = Type.Object(
  {
    name: Type.Optional(
      text('line', 'The name of the company; partners see it on the card.', { examples: ['ACME Corp'] }),
    ),
    admin_contact: Type.Optional(
      text('line', 'How the admin is reached.', { examples: ['mailto:it@acme.example'] }),
    ),
  },
  { ...closed, takesEffect: 'reload', description: 'Who runs this island.' },
);

const serverNotices = Type.Object(
  {
    system_mxid_localpart: Type.Optional(
      text(
        'localpart',
        'The user as whom the server speaks to its people. Nobody can be or become this user.',
        {
          default: 'notices',
        },
      ),
    ),
    system_mxid_display_name: Type.Optional(
      text('line', 'The name of this user.', { default: 'Server notices' }),
    ),
    room_name: Type.Optional(
      text('line', 'The name of the room in which each of our people gets notices.', {
        default: 'Server notices',
      }),
    ),
  },
  { ...closed, takesEffect: 'restart', description: 'How the server speaks to its own people.' },
);

const audit = Type.Object(
  {
    syslog: Type.Optional(
      Type.Object(
        {
          address: text(
            'syslog-url',
            'Where the audit log is sent, line by line as it grows: syslog (RFC 5424) over udp, tcp or tls. Ports: 514, for tls 6514. Over udp lines can get lost.',
            { examples: ['tls://syslog.acme.example:6514'] },
          ),
        },
        { ...closed, description: 'A syslog server that gets the audit log.', byDefault: 'none' },
      ),
    ),
  },
  { ...closed, takesEffect: 'restart', description: 'The audit log, beside what is kept in the database.' },
);

export const homeserverSchema = Type.Object(
  {
    server_name: text('server-name', 'The name of this island, in every user id. It can never change.', {
      takesEffect: 'restart',
      examples: ['acme.example'],
    }),
    public_baseurl: Type.Optional(
      text('base-url', 'Where clients and partners reach this island from outside.', {
        takesEffect: 'reload',
        examples: ['https://chat.acme.example/'],
      }),
    ),
    signing_key_path: Type.Optional(
      text('path', 'The signing key; made at the first start, for its own user only. Keep a backup.', {
        takesEffect: 'restart',
        default: 'data/signing.key',
      }),
    ),
    listeners: Type.Optional(
      Type.Array(listener, {
        minItems: 1,
        takesEffect: 'restart',
        description: 'Where this island listens.',
        default: [{ port: 8008 }],
      }),
    ),
    database: Type.Optional(database),
    media_store_path: Type.Optional(
      text('path', 'The folder for files.', { takesEffect: 'restart', default: 'data/media' }),
    ),
    max_upload_size: Type.Optional(
      text('size', 'The largest file that may be uploaded.', { takesEffect: 'reload', default: '50M' }),
    ),
    enable_registration: Type.Optional(
      Type.Boolean({
        takesEffect: 'reload',
        description: 'Whether anybody may open an account.',
        default: false,
      }),
    ),
    registration_shared_secret: Type.Optional(
      text('secret', 'Lets provisioning tools make users at /_synapse/admin/v1/register.', {
        takesEffect: 'reload',
        byDefault: 'nobody may',
      }),
    ),
    registration_shared_secret_path: Type.Optional(
      text('path', 'A file that holds that secret and nothing else.', {
        takesEffect: 'reload',
        examples: ['secrets/registration'],
      }),
    ),
    trusted_key_servers: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 0,
        tooMany: 'must stay empty: only pinned keys are believed here',
        takesEffect: 'reload',
        description: 'Always empty: only pinned keys are believed.',
        default: [],
      }),
    ),
    https_proxy: Type.Optional(
      text('proxy-url', 'An HTTP proxy for links to partners (CONNECT).', {
        takesEffect: 'restart',
        byDefault: 'none',
        examples: ['http://proxy.acme.example:3128'],
      }),
    ),
    organization: Type.Optional(organization),
    default_room_version: Type.Optional(
      text('room-version', 'The version of new rooms.', {
        takesEffect: 'reload',
        default: '12',
        examples: ['11'],
      }),
    ),
    encryption: Type.Optional(
      Type.Enum(['required', 'optional', 'forbidden'], {
        takesEffect: 'reload',
        description:
          'End-to-end encryption on this island, between its own people too. Clients are told, and new rooms begin encrypted where it is required.',
        default: 'optional',
      }),
    ),
    room_defaults: Type.Optional(
      Type.Object(
        {
          internal_departments: Type.Optional(
            Type.Array(text('line', 'A department.'), {
              description:
                'Rooms made by people of these begin as internal: nobody of a partner can be invited, unless whoever makes the room says otherwise.',
              default: [],
              examples: [['rnd']],
            }),
          ),
        },
        { ...closed, takesEffect: 'reload', description: 'How new rooms begin.' },
      ),
    ),
    card_lifetime: Type.Optional(
      text('duration', 'How long a card of `archipelago partner card` can be used.', {
        takesEffect: 'reload',
        default: '30d',
      }),
    ),
    server_notices: Type.Optional(serverNotices),
    offline_notice_after: Type.Optional(
      text(
        'duration-or-never',
        'How long a partner has no link until the rooms shared with it are told; "never": they are not.',
        { takesEffect: 'reload', default: '5m', examples: ['never'] },
      ),
    ),
    audit: Type.Optional(audit),
    partner_defaults: Type.Optional(partnerDefaultsSchema),
    partners: Type.Optional(
      Type.Array(partnerSchema, {
        takesEffect: 'reload',
        description:
          'The servers that this island talks to; none: it talks to nobody. `archipelago partner add` writes each into conf.d/partners/NAME.yaml.',
        default: [],
      }),
    ),
  },
  { ...closed, description: 'The configuration of an island (homeserver.yaml).' },
);

/** What the files say together, after the check against the schema. A key without a value counts as absent. */
export type RawConfig = Static<typeof homeserverSchema>;
export type RawListener = Static<typeof listener>;
