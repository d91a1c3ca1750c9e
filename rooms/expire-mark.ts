/** In place of the id of a redaction: the content was deleted because it is older than it may be kept here. */
export const expiredMark = 'expired';

/** What clients find in `unsigned` of such an event. */
export const expiredKey = 'org.archipelago.expired';
