import Type, { type Static } from 'typebox';
import { closed, text } from './schema-kit.ts';

const people = Type.Object(
  {
    everyone: Type.Optional(Type.Boolean({ description: 'true: everybody of ours.' })),
    departments: Type.Optional(
      Type.Array(text('line', 'A department.'), { minItems: 1, description: 'Everybody of these.' }),
    ),
    users: Type.Optional(
      Type.Array(text('user-id', '@ann:acme.example'), {
        minItems: 1,
        description: 'These people.',
      }),
    ),
  },
  closed,
);

const inviteRule = (description: string) =>
  Type.Optional(Type.Enum(['allow', 'approve', 'deny'], { description, default: 'allow' }));
const shared = (what: string, byDefault: boolean) =>
  Type.Optional(Type.Boolean({ description: `${what}.`, default: byDefault }));

/** The `policy:` of a partner or of `partner_defaults`. */
export const policySchema = Type.Object(
  {
    allow_local: Type.Optional(
      Type.Array(people, {
        minItems: 1,
        description: 'Who of ours the partnership is for.',
        default: [{ everyone: true }],
        examples: [[{ departments: ['purchasing'] }, { users: ['@ceo:acme.example'] }]],
      }),
    ),
    allow_remote: Type.Optional(
      Type.Array(text('remote-user', '"*", or @bob:bolt.example'), {
        minItems: 1,
        description: 'Who of theirs it is for; "*" is everyone.',
        default: ['*'],
        examples: [['@bob:bolt.example']],
      }),
    ),
    invites: Type.Optional(
      Type.Object(
        {
          outbound: inviteRule('May ours invite theirs? approve: once an admin agrees.'),
          inbound: inviteRule('May theirs invite ours? approve: once an admin agrees.'),
        },
        closed,
      ),
    ),
    rooms: Type.Optional(
      Type.Object(
        {
          remote_may_create: Type.Optional(
            Type.Boolean({ description: 'May ours be in rooms that theirs made?', default: true }),
          ),
          encryption: Type.Optional(
            Type.Enum(['required', 'optional', 'forbidden'], {
              description: 'End-to-end encryption of what crosses.',
              default: 'optional',
            }),
          ),
          third_parties: Type.Optional(
            Type.Enum(['deny', 'listed', 'allow'], {
              description: 'Further servers in a room shared with them: none, partners of ours, any.',
              default: 'deny',
            }),
          ),
          third_party_consent: Type.Optional(
            Type.Enum(['required', 'if_possible'], {
              description:
                'Before a further server comes into a room, the islands in it are asked. required: one that does not answer, or is no island, counts as no; if_possible: as yes.',
              default: 'required',
            }),
          ),
          on_drift: Type.Optional(
            Type.Enum(['freeze', 'leave', 'alarm'], {
              description:
                'Somebody else let a server into a room with them that may not be there: the room becomes read-only for ours, ours leave it, or the admins are told and no more.',
              default: 'freeze',
            }),
          ),
          max_remote_power_level: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100,
              description: 'The highest power level that theirs may have.',
              default: 100,
            }),
          ),
          history_visibility: Type.Optional(
            Type.Array(
              Type.Enum(['invited', 'joined', 'shared', 'world_readable'], { description: 'A value.' }),
              {
                minItems: 1,
                description: 'What the history visibility of a shared room may be.',
                byDefault: 'any',
                examples: [['joined', 'invited']],
              },
            ),
          ),
        },
        closed,
      ),
    ),
    files: Type.Optional(
      Type.Object(
        {
          direction: Type.Optional(
            Type.Enum(['both', 'outbound', 'inbound', 'none'], {
              description: 'Which way files cross.',
              default: 'both',
            }),
          ),
          max_size: Type.Optional(
            text('size', 'The largest file that crosses.', { byDefault: 'any size', examples: ['50M'] }),
          ),
          mime: Type.Optional(
            Type.Array(text('media-type', '"application/pdf" or "image/*"'), {
              minItems: 1,
              description: 'Which types of files cross.',
              byDefault: 'any',
              examples: [['application/pdf', 'image/*']],
            }),
          ),
        },
        closed,
      ),
    ),
    directory: Type.Optional(
      Type.Object(
        {
          expose: Type.Optional(
            Type.Array(people, {
              description: 'Whom of ours they find; an empty list is nobody.',
              default: [],
              examples: [[{ departments: ['purchasing'] }]],
            }),
          ),
          fields: Type.Optional(
            Type.Array(
              Type.Enum(['display_name', 'avatar', 'title', 'department'], { description: 'A field.' }),
              {
                description: 'Which fields they see.',
                default: ['display_name', 'avatar'],
              },
            ),
          ),
          contacts: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  name: text('line', 'What they are called there.', { examples: ['Purchasing desk'] }),
                  user_id: text('user-id', 'Who of ours that is.', {
                    examples: ['@purchasing:acme.example'],
                  }),
                },
                closed,
              ),
              {
                description:
                  'People of ours whom they find under the name of what they do, whatever expose says.',
                default: [],
              },
            ),
          ),
        },
        closed,
      ),
    ),
    share: Type.Optional(
      Type.Object(
        {
          presence: shared('Who is online', false),
          typing: shared('Who is typing', true),
          receipts: shared('Who has read what', true),
          device_names: shared('The names of devices', false),
        },
        closed,
      ),
    ),
    label: Type.Optional(
      Type.Object(
        {
          show: Type.Optional(
            Type.Boolean({
              description:
                'Whether our clients see of theirs that they are external. What a client has stays until it syncs the room anew.',
              default: true,
            }),
          ),
          suffix: Type.Optional(
            text('line', 'Stands after their display names.', {
              byDefault: 'made of display_name',
              examples: [' (Bolt)'],
            }),
          ),
        },
        closed,
      ),
    ),
    callback: Type.Optional(
      Type.Object(
        {
          url: text(
            'callback-url',
            'The HTTP check of ours (leak prevention, virus scan, approval) that is asked by POST. Redirects and proxies are not followed.',
            { examples: ['https://dlp.acme.example/check'] },
          ),
          actions: Type.Array(
            Type.Enum(['message', 'invite', 'join', 'media'], { description: 'What it is asked about.' }),
            {
              description: 'What it is asked about; an empty list: nothing.',
              examples: [['message', 'media']],
            },
          ),
          timeout: Type.Optional(
            text('duration', 'How long its answer is waited for, at most 30s.', { default: '2s' }),
          ),
          on_timeout: Type.Optional(
            Type.Enum(['allow', 'deny', 'warn'], {
              description:
                'What holds when it gives no answer that can be used. warn: allowed, and in the audit log.',
              default: 'deny',
            }),
          ),
          secret_path: Type.Optional(
            text('path', 'A file with the secret that signs what is posted (HMAC-SHA256).', {
              byDefault: 'nothing is signed',
            }),
          ),
        },
        {
          ...closed,
          description: 'An HTTP check of ours. An entry replaces that of partner_defaults as a whole.',
          byDefault: 'none',
          whole: true,
        },
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        {
          max_age: Type.Optional(
            text('duration', 'Content of their messages and files is deleted here when it is older.', {
              byDefault: 'kept without end',
              examples: ['365d'],
            }),
          ),
        },
        closed,
      ),
    ),
    rate: Type.Optional(
      Type.Object(
        {
          events_per_second: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100_000,
              description: 'Events taken from them each second in the long run. More wait on their side.',
              byDefault: 'any number',
              examples: [100],
            }),
          ),
          event_burst: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 1_000_000,
              description: 'Events taken at once before that limit holds.',
              byDefault: 'ten times as many',
            }),
          ),
          invites_per_hour: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 1_000_000,
              description: 'Invitations in each direction within an hour.',
              default: 600,
            }),
          ),
          media_per_day: Type.Optional(
            text('size', 'Files in each direction within a day.', {
              byDefault: 'any amount',
              examples: ['10G'],
            }),
          ),
        },
        {
          ...closed,
          description: 'Quotas. What is above them waits or is refused; nothing is lost.',
        },
      ),
    ),
    events: Type.Optional(
      Type.Object(
        {
          deny: Type.Optional(
            Type.Array(text('line', 'An event type.'), {
              description: 'Event types that do not cross.',
              default: [],
              examples: [['m.room.tombstone', 'org.example.secret']],
            }),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'What may cross. Both sides have one, and the stricter rules.' },
);

export type RawPolicy = Static<typeof policySchema>;
export type RawPeople = Static<typeof people>;
