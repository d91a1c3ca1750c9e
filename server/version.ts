/** The version of this program, as partners and operators see it. */
export const version = '0.1.0';
