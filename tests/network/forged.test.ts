import { describeForgeries } from './forgeries.ts';

describeForgeries('12');
