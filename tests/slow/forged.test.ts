import { describeForgeries } from '../network/forgeries.ts';

for (const roomVersion of ['10', '11']) describeForgeries(roomVersion);
