/**
 * The version of the rules by which a data set follows from zips, options and sides. Raised whenever the same of these give
 * other images, sides, names or descriptions: a data set made by other rules is not taken for today's.
 */
export const RULES_VERSION = 5;
