/** A day for people, in UTC, such as 1 Feb 2026. */
export function dayText(date: Date): string {
  return DAY.format(date);
}

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
