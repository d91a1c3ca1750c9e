import type { PartnerFacts, PolicyBook } from './book.ts';
import { allOf, allowed, type Decision } from './decision.ts';
import type { Question } from './question.ts';
import { mayPassCallback } from './rules/callback.ts';
import { fitsEncryption, fitsIsland, mayCross, mayTransfer } from './rules/content.ts';
import { mayInvite } from './rules/invites.ts';
import { mayVouch } from './rules/keys.ts';
import { mayTakePart } from './rules/people.ts';
import { fitsQuota } from './rules/rate.ts';
import { fitsClass, isThawed, mayAdmit, mayChangeState, mayUseRoomOf } from './rules/rooms.ts';
import { mayFind, mayShare } from './rules/share.ts';
import { mayTalk } from './rules/talk.ts';
import { includes, type Person } from './who.ts';

/**
 * The border's answer: the one function that serves requests, `policy explain`, `policy replay` and the audit log.
 * `now` in milliseconds decides what has ended. Without an active partner nothing else is asked.
 */
export function decide(book: PolicyBook, question: Question, now: number): Decision {
  const talk = mayTalk(book, question.remoteServer, now);
  const partner = book.get(question.remoteServer);
  if (!talk.allowed) return talk;
  const atHome = decideAtHome(book, question);
  if (partner === undefined) return atHome;
  const theirs = decideWith(book, partner, question, now);
  const decision = atHome.allowed ? theirs : allOf(theirs, atHome);
  if (question.verdict === undefined && question.quotaMs === undefined) return decision;
  return allOf(decision, mayPassCallback(partner, question), fitsQuota(partner, question));
}

/** What holds between our own people as well. */
function decideAtHome(book: PolicyBook, question: Question): Decision {
  switch (question.action) {
    case 'message': {
      const { isCleartext, eventType } = question;
      return fitsIsland(book, { isCleartext, isEncrypted: eventType === 'm.room.encrypted' });
    }
    case 'state':
      return fitsIsland(book, {
        isCleartext: false,
        isEncrypted: question.change.enablesEncryption === true,
      });
    case 'create-room':
      return fitsIsland(book, { isCleartext: !question.isEncrypted, isEncrypted: question.isEncrypted });
    default:
      return allowed;
  }
}

function decideWith(book: PolicyBook, partner: PartnerFacts, question: Question, now: number): Decision {
  switch (question.action) {
    case 'talk':
      return allowed;
    case 'signature':
      return mayVouch(partner, question.keyIds);
    case 'message': {
      const { eventType, isCleartext, file, direction, room } = question;
      return allOf(
        people(partner, question),
        isThawed(partner, room, direction),
        mayUseRoomOf(partner, room),
        mayCross(partner, eventType),
        fitsEncryption(partner, { isCleartext, isEncrypted: eventType === 'm.room.encrypted' }),
        file === undefined ? allowed : mayTransfer(partner, direction, file),
      );
    }
    case 'state': {
      const { eventType, change, room, direction } = question;
      return allOf(
        people(partner, question),
        isThawed(partner, room, direction),
        mayCross(partner, eventType),
        mayChangeState(partner, change),
        fitsEncryption(partner, { isCleartext: false, isEncrypted: change.enablesEncryption === true }),
      );
    }
    case 'file':
      return allOf(people(partner, question), mayTransfer(partner, question.direction, question.file));
    case 'invite': {
      const { room, direction, isApproved, isRefused = false } = question;
      return allOf(
        people(partner, question),
        // Nobody is brought into a frozen room, from either side.
        isThawed(partner, room, 'outbound'),
        fitsClass(partner, room, 'invite'),
        mayUseRoomOf(partner, room),
        room === undefined ? allowed : encryptionOf(partner, room.isEncrypted),
        mayInvite(partner, direction, { isApproved, isRefused }),
      );
    }
    case 'join': {
      const { room, direction } = question;
      return allOf(
        people(partner, question),
        isThawed(partner, room, direction),
        fitsClass(partner, room, 'join'),
        mayUseRoomOf(partner, room),
        room === undefined ? allowed : encryptionOf(partner, room.isEncrypted),
      );
    }
    case 'create-room': {
      const { change, isEncrypted } = question;
      return allOf(
        people(partner, question),
        mayChangeState(partner, change),
        encryptionOf(partner, isEncrypted),
      );
    }
    case 'third-party':
      return allOf(isThawed(partner, question.room, 'outbound'), mayAdmit(book, partner, question, now));
    case 'profile':
      // Who shares a room has seen the name; what sharing a room reveals is no secret from them.
      return allOf(
        people(partner, question),
        question.sharesRoom || question.direction === 'outbound' ? allowed : exposed(partner, question),
      );
    case 'directory':
      // What that side shows of its people is for that side to say.
      return allOf(
        people(partner, question),
        question.direction === 'outbound' ? allowed : exposed(partner, question),
      );
    case 'presence':
    case 'typing':
      return allOf(people(partner, question), mayShare(partner, question.action));
    case 'receipt':
      return allOf(people(partner, question), mayShare(partner, 'receipts'));
    case 'device-names':
      return allOf(people(partner, question), mayShare(partner, 'device_names'));
  }
}

function people(
  partner: PartnerFacts,
  { local, audience = [], remote }: Extract<Question, { remote: readonly string[] }>,
): Decision {
  const { allowLocal } = partner.policy;
  const best = audience.find((person) => includes(allowLocal, person)) ?? audience[0];
  return mayTakePart(partner, local ?? best, remote);
}

/** A room that is made or entered: `required` wants it encrypted, `forbidden` does not. */
function encryptionOf(partner: PartnerFacts, isEncrypted: boolean): Decision {
  return fitsEncryption(partner, { isCleartext: !isEncrypted, isEncrypted });
}

function exposed(partner: PartnerFacts, { local }: { readonly local?: Person | undefined }): Decision {
  return local === undefined ? allowed : mayFind(partner, local);
}
